"""A training in two stages: the whole model under one loss, then the read-out alone, anew, under another."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import rezsl
from rezsl.data import Benchmark
from rezsl.errors import ArgumentError
from rezsl.losses import InverseFrequencyLoss, MAELoss, MSELoss, RRTLoss
from rezsl.models import MLPRegressor, pool
from rezsl.semantics import ClassSemantics
from rezsl.training import Batches, Callback, EpochRecord, FitResult, Optimization, Stage
from tests.losses.batches import Problem
from tests.training.interruptions import PowerCut, PowerCutError


class NormalisedRegressor(MLPRegressor):
    """With batch normalisation, whose statistics move in every forward pass of a training."""

    def __init__(self, region_dim: int, semantics: ClassSemantics, hidden_dim: int = 32, dropout: float = 0.5) -> None:
        super().__init__(region_dim, semantics, hidden_dim, dropout)
        self.norm = nn.BatchNorm1d(region_dim)

    def forward(self, regions: Tensor) -> Tensor:
        return super().forward(self.norm(pool(regions)))


class Recorder(Callback):
    """Keeps the weights and the learning rate after each epoch of the selection."""

    def __init__(self) -> None:
        self.states, self.rates = list[dict[str, Tensor]](), list[float]()

    def on_epoch_end(self, stage: Stage, record: EpochRecord) -> None:
        if stage.name == "select":
            state = stage.classifier.network.state_dict()
            self.states.append({name: tensor.clone() for name, tensor in state.items()})
            self.rates.append(record.learning_rate)


def train(data: Benchmark, run: Path, *callbacks: Callback, resume: bool = False) -> FitResult:
    return rezsl.fit(
        data,
        training=rezsl.Training(
            loss=RRTLoss(MSELoss(), InverseFrequencyLoss(square_root=True), share=0.4),
            max_epochs=5,
            batches=Batches(ways=4, shots=4),
            accelerator="cpu",
            optimization=Optimization(learning_rate=0.01),
        ),
        model=NormalisedRegressor,
        run_dir=run,
        resume=resume,
        callbacks=callbacks,
        progress=False,
    )


def test_the_second_loss_begins_in_time() -> None:
    problem = Problem()
    arguments = problem.prediction, problem.target, problem.labels
    loss = RRTLoss(MSELoss(), MAELoss(), share=0.25)
    for epochs, change in ((1, 1), (2, 1), (8, 6), (20, 15)):
        assert loss.change(epochs) == change
        loss.start_epoch(change - 1, epochs)
        assert loss(*arguments) == MSELoss()(*arguments)
        loss.start_epoch(change, epochs)
        assert loss(*arguments) == MAELoss()(*arguments)


@pytest.mark.usefixtures("unchecked")
def test_only_a_new_readout_learns_in_the_second_stage(learnable: Benchmark, tmp_path: Path) -> None:
    recorder = Recorder()
    states, rates = recorder.states, recorder.rates
    whole = train(learnable, tmp_path / "whole", recorder)
    assert whole.test is not None
    assert whole.test.t1 > 0.4  # chance is 0.25
    assert all(parameter.requires_grad for parameter in whole.model.network.parameters())
    features = ("hidden.weight", "hidden.bias", "norm.weight", "norm.running_mean", "norm.num_batches_tracked")
    for name in features:
        before, last, *second = (state[name] for state in states[1:])
        assert not torch.equal(before, last), name
        assert all(torch.equal(later, last) for later in second), name
    readouts = [state["readout.weight"] for state in states]
    alike = [nn.functional.cosine_similarity(a.flatten(), b.flatten(), dim=0) for a, b in pairwise(readouts)]
    assert alike[1] > 0.9  # from epoch to epoch it goes on ...
    assert alike[2] < 0.9  # ... and here it began anew
    assert not torch.equal(readouts[3], readouts[4])
    # A one-cycle schedule of its own: it starts low (the rate of the next step), rises, and ends near 0.
    assert rates[2] == pytest.approx(0.04 * 0.01)
    assert rates[3] > 2e-3
    assert rates[4] < 1e-4

    with pytest.raises(PowerCutError):
        train(learnable, tmp_path / "parts", PowerCut(3))  # just before the second stage begins
    resumed = train(learnable, tmp_path / "parts", resume=True)
    assert resumed.choice == whole.choice
    for name, tensor in whole.model.state_dict().items():
        torch.testing.assert_close(resumed.model.state_dict()[name], tensor, rtol=0, atol=0, msg=name)


class Headless(MLPRegressor):
    """A model that does not name its read-out."""

    readout_parts = ()


def test_what_cannot_be_retrained_is_refused(features: Benchmark) -> None:
    message = "loss: RRTLoss trains a model's read-out anew, and Headless has none; choose another loss"
    with pytest.raises(ArgumentError, match=re.escape(message)):
        rezsl.fit(
            features,
            training=rezsl.Training(loss=RRTLoss(MSELoss(), MAELoss()), max_epochs=2, accelerator="cpu"),
            model=Headless,
            progress=False,
        )
    with pytest.raises(ArgumentError, match="share: expected a number between 0 and 1, got 1"):
        RRTLoss(MSELoss(), MAELoss(), share=1.0)
    with pytest.raises(ArgumentError, match="second: expected a loss of one stage, got an RRTLoss"):
        RRTLoss(MSELoss(), RRTLoss(MSELoss(), MAELoss()))
