"""Models with losses and optimizers of their own."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import rezsl
from rezsl.data import Benchmark, load_digits
from rezsl.errors import ArgumentError, DivergenceError
from rezsl.models import HasOwnTraining, LinearRegressor
from rezsl.regions import small_resnet
from rezsl.semantics import ClassSemantics
from rezsl.training import Callback, EpochRecord, Setup, Stage, Training, select, train_classifier
from tests.training.interruptions import CtrlC

QUICK = Training(max_epochs=3, accelerator="cpu")


class Averaging(LinearRegressor):
    """A linear read-out that approaches the least-squares solution by a third of the way in each epoch.

    Args:
        fails: the epoch in which the loss is NaN, counted from 1; 0 for none.
    """

    def __init__(self, region_dim: int, semantics: ClassSemantics, fails: int = 0) -> None:
        super().__init__(region_dim, semantics)
        self.fails, self.drawn = fails, list[float]()

    def train_epochs(
        self, features: Tensor, labels: Tensor, class_semantics: Tensor, max_epochs: int
    ) -> Iterator[Mapping[str, float]]:
        """Solve once, and approach the solution."""
        assert features.shape == (len(labels), self.readout.in_features)
        extended = torch.cat([features, torch.ones(len(features), 1)], dim=1)
        best = torch.linalg.lstsq(extended, class_semantics[labels]).solution.T
        for epoch in range(1, max_epochs + 1):
            self.drawn.append(float(torch.rand(())))
            with torch.no_grad():
                self.readout.weight.lerp_(best[:, :-1], 1 / 3)
                self.readout.bias.lerp_(best[:, -1], 1 / 3)
                if epoch == self.fails:
                    self.readout.weight.fill_(torch.nan)
            yield {"total": float("nan") if epoch == self.fails else 1 / epoch, "other": 2.0}


class Kept(Callback):
    def __init__(self) -> None:
        self.epochs: list[tuple[str, int]] = []
        self.networks: list[Any] = []

    def on_epoch_end(self, stage: Stage, record: EpochRecord) -> None:
        self.epochs.append((stage.name, record.epoch))
        torch.rand(record.epoch)  # a callback may draw random numbers

    def on_training_end(self, stage: Stage) -> None:
        self.networks.append(stage.classifier.network)


def failing(epoch: int) -> Any:
    return lambda region_dim, semantics: Averaging(region_dim, semantics, fails=epoch)


def test_every_epoch_is_validated_and_recorded_and_the_refit_has_the_chosen_number(
    learnable: Benchmark, tmp_path: Path
) -> None:
    assert issubclass(Averaging, HasOwnTraining)
    kept = Kept()
    found = rezsl.fit(learnable, Averaging, training=QUICK, callbacks=[kept], run_dir=tmp_path / "run", progress=False)
    assert kept.epochs == [("select", epoch) for epoch in (1, 2, 3)] + [
        ("refit", epoch) for epoch in range(1, found.choice.epochs + 1)
    ]
    assert found.test is not None
    assert found.test.t1 > 0.9
    lines = (tmp_path / "run" / "history.csv").read_text().splitlines()
    assert len(lines) == 1 + len(kept.epochs)
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["test"]["collapse"] == []
    # Each epoch has random numbers of its own, which callbacks do not change.
    first, second = (network.drawn for network in kept.networks)
    assert first[: len(second)] == second


def test_a_loss_that_is_not_finite_ends_the_training_with_the_weights_before_it(
    learnable: Benchmark, tmp_path: Path
) -> None:
    setup = Setup(learnable, failing(3), training=QUICK, progress=False)
    classifier = train_classifier(setup, "refit", learnable.split.trainval, 3)
    sound = train_classifier(
        Setup(learnable, Averaging, training=QUICK, progress=False), "refit", learnable.split.trainval, 2
    )
    for name, weight in sound.network.state_dict().items():
        torch.testing.assert_close(classifier.network.state_dict()[name], weight)
    reason = "total of Averaging was not finite in epoch 3, so the training ended with the weights of epoch 2"
    assert classifier.network.failure == reason
    found = rezsl.fit(learnable, failing(2), training=QUICK, run_dir=tmp_path / "run", progress=False)
    assert found.choice.epochs == 1
    assert found.test is not None
    # The refit ended before the loss was lost, so only the selection has failed.
    assert not any("not finite" in sign for sign in found.test.collapse)
    with pytest.raises(DivergenceError, match=r"model: expected finite losses, but total of Averaging .* first epoch"):
        select(Setup(learnable, failing(1), training=QUICK, progress=False))


def test_a_collapse_is_in_the_record_of_the_run(learnable: Benchmark, tmp_path: Path) -> None:
    class Constant(Averaging):
        """Predicts the same attributes for every image."""

        def forward(self, regions: Tensor) -> Tensor:
            return 0 * super().forward(regions) + torch.arange(1.0, 7.0)

    found = rezsl.fit(learnable, Constant, training=QUICK, run_dir=tmp_path / "run", progress=False)
    assert found.test is not None
    record = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert record["test"]["collapse"] == list(found.test.collapse)
    assert "of 4 unseen classes only" in record["test"]["collapse"][0]


def test_ctrl_c_leaves_a_model_and_the_run_begins_its_stage_again(learnable: Benchmark, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        rezsl.fit(learnable, LinearLike, training=QUICK, callbacks=[CtrlC(2)], run_dir=run, progress=False)
    assert rezsl.load_model(run).classify(learnable.inputs[:1])
    resumed = rezsl.fit(learnable, LinearLike, training=QUICK, run_dir=run, resume=True, progress=False)
    whole = rezsl.fit(learnable, LinearLike, training=QUICK, progress=False)
    assert resumed.choice.epochs == whole.choice.epochs
    assert resumed.choice.gamma == pytest.approx(whole.choice.gamma, rel=1e-4)


class LinearLike(Averaging):
    """The same under a name of its own."""


def test_what_does_not_apply_is_refused(learnable: Benchmark) -> None:
    with pytest.raises(ArgumentError, match="mixup: expected 0 with Averaging, which is trained in a way of its own"):
        rezsl.fit(learnable, Averaging, training=Training(mixup=1.0, max_epochs=1), progress=False)
    with pytest.raises(ArgumentError, match="model: Averaging is trained in a way of its own on features"):
        rezsl.fit(load_digits(), Averaging, small_resnet, Training(max_epochs=1), progress=False)
