import re
from pathlib import Path

import pytest
import torch

import rezsl
from rezsl.data import Benchmark
from rezsl.errors import ArgumentError
from rezsl.functional.binning import Kernel
from rezsl.models import SmoothedRegressor
from rezsl.training import Batches, Callback
from tests.models.tables import table
from tests.oracles import feature_smoothing as oracle
from tests.oracles.label_density import bin_of
from tests.training.interruptions import PowerCut, PowerCutError


@pytest.mark.parametrize("kernel", ["gaussian", "triangular", "laplace"])
def test_calibration_matches_the_literal_loops(kernel: Kernel, generator: torch.Generator) -> None:
    """Three epochs of two batches; a class of the table that no batch shows, and one that comes late."""
    bins, momentum = 5, 0.7
    values = torch.rand(6, 3, generator=generator, dtype=torch.float64)
    model = SmoothedRegressor(
        6, table(3), hidden_dim=4, bins=bins, kernel=kernel, reach=2, spread=1.3, momentum=momentum
    ).double()
    model.prepare(values)
    place = [[bin_of(float(value), values[:, s].tolist(), bins) for value in values[:, s]] for s in range(3)]
    literal = [[oracle.RunningBins(momentum) for _ in range(4)] for _ in range(3)]
    for epoch in range(3):
        model.start_epoch()
        labels = torch.randint(4 if epoch < 2 else 5, (14,), generator=generator)
        features = torch.randn(14, 4, generator=generator, dtype=torch.float64) + values[labels].sum(1, keepdim=True)
        for part, own in zip(features.split(7), labels.split(7), strict=True):
            model.add(part, values[own])
        shown = torch.arange(6)
        calibrated = model.calibrate(features[:6], values[shown])
        for i in range(6):
            for s in range(3):
                for d in range(4):
                    expected = literal[s][d].calibrate(float(features[i, d]), place[s][i], kernel, 2, 1.3)
                    assert float(calibrated[i, s, d]) == pytest.approx(expected, rel=1e-9), (epoch, i, s, d)
        for s in range(3):
            for d in range(4):
                literal[s][d].take(features[:, d].tolist(), [place[s][label] for label in labels.tolist()])


def test_training_reads_calibrated_features_and_inference_does_not(generator: torch.Generator) -> None:
    torch.manual_seed(0)
    model = SmoothedRegressor(6, table(3), hidden_dim=4, dropout=0.0, bins=3)
    values = torch.rand(5, 3, generator=generator)
    model.prepare(values)
    regions, target = torch.randn(8, 6, generator=generator), values[torch.arange(8) % 5]
    plain = model(regions)
    torch.testing.assert_close(model.training_forward(regions, target).prediction, plain)  # nothing is known yet
    model.start_epoch()
    output = model.training_forward(regions, target)
    seen = model.calibrate(model.features(regions), target)
    for s in range(3):
        expected = seen[:, s] @ model.readout.weight[s] + model.readout.bias[s]
        torch.testing.assert_close(output.prediction[:, s], expected)
    assert not torch.allclose(output.prediction, plain)
    assert not output.penalty.any()
    torch.testing.assert_close(model(regions), plain)
    output.prediction.square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name


@pytest.mark.usefixtures("unchecked")
def test_it_is_trained_saved_and_loaded(learnable: Benchmark, tmp_path: Path) -> None:
    result = rezsl.fit(
        learnable,
        training=rezsl.Training(max_epochs=6, batches=Batches(ways=4, shots=4), accelerator="cpu"),
        model=SmoothedRegressor,
        run_dir=tmp_path / "run",
        progress=False,
    )
    assert result.test is not None
    assert result.test.t1 > 0.6  # chance is 0.25
    loaded = rezsl.load_model(tmp_path / "run")
    assert isinstance(loaded.network, SmoothedRegressor)
    assert bool(loaded.network.filled.any())
    torch.testing.assert_close(
        loaded.predict_semantics(learnable.inputs), result.model.predict_semantics(learnable.inputs), rtol=0, atol=0
    )


def test_batches_in_parts_are_refused(features: Benchmark) -> None:
    message = "batches.micro: expected 0 with SmoothedRegressor, which would count each part of a batch twice, got 4; set it to 0"
    with pytest.raises(ArgumentError, match=re.escape(message)):
        rezsl.fit(
            features,
            training=rezsl.Training(batches=Batches(micro=4), max_epochs=1, accelerator="cpu"),
            model=SmoothedRegressor,
            progress=False,
        )


def test_options_out_of_range_are_named() -> None:
    with pytest.raises(ArgumentError, match=r"momentum: expected a number in \[0, 1\), got 1"):
        SmoothedRegressor(3, table(2), momentum=1.0)
    with pytest.raises(ArgumentError, match="hidden_dim: expected at least 1, got 0"):
        SmoothedRegressor(3, table(2), hidden_dim=0)


def test_a_resumed_run_has_the_same_statistics(features: Benchmark, tmp_path: Path) -> None:
    def train(run: Path, *callbacks: Callback, resume: bool = False) -> dict[str, torch.Tensor]:
        result = rezsl.fit(
            features,
            training=rezsl.Training(max_epochs=3, batches=Batches(ways=4, shots=4), accelerator="cpu"),
            model=SmoothedRegressor,
            run_dir=run,
            resume=resume,
            callbacks=callbacks,
            progress=False,
        )
        return result.model.state_dict()

    whole = train(tmp_path / "whole")
    with pytest.raises(PowerCutError):
        train(tmp_path / "parts", PowerCut(2))
    for name, tensor in train(tmp_path / "parts", resume=True).items():
        torch.testing.assert_close(tensor, whole[name], rtol=0, atol=0, msg=name)
