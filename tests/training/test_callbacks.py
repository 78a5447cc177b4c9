from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric.loggers.csv_logs import CSVLogger

import rezsl
from rezsl.data import Benchmark
from rezsl.models import ESZSL
from rezsl.training import Batches, Callback, EpochRecord, FitResult, Logger, Setup, Stage, Training, refit, select
from rezsl.training._step import seed_step
from tests.training.interruptions import PowerCut, PowerCutError

TRAINING = Training(max_epochs=4, batches=Batches(ways=4, shots=4, per_epoch=3), accelerator="cpu")


def fit(data: Benchmark, *callbacks: Callback, **options: Any) -> FitResult:
    return rezsl.fit(data, training=TRAINING, callbacks=callbacks, progress=False, **options)


class Recorder(Callback):
    """Keeps the calls of its methods; stops a stage after an epoch, counted from 1."""

    def __init__(self, last: int = 100) -> None:
        self.calls: list[str] = []
        self.records: list[EpochRecord] = []
        self.last = last

    def on_training_start(self, stage: Stage) -> None:
        self.calls.append(f"{stage.name} from {stage.epoch}")

    def on_epoch_start(self, stage: Stage) -> None:
        self.calls.append(f"start {stage.epoch}")

    def on_epoch_end(self, stage: Stage, record: EpochRecord) -> None:
        self.calls.append(f"end {record.epoch}")
        self.records.append(record)
        if record.epoch >= self.last:
            stage.stop()

    def on_training_end(self, stage: Stage) -> None:
        self.calls.append(f"{stage.name} at {stage.epoch}")

    def state_dict(self) -> dict[str, Any]:
        return {"calls": self.calls, "epochs": {record.epoch: torch.tensor(record.epoch) for record in self.records}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.calls = state["calls"]
        assert [int(tensor) for tensor in state["epochs"].values()] == list(state["epochs"])


def test_a_callback_sees_each_epoch_and_may_stop_a_stage(features: Benchmark) -> None:
    recorder = Recorder(last=2)
    result = fit(features, recorder)
    epochs = ["start 0", "end 1", "start 1", "end 2"]
    assert recorder.calls[:6] == ["select from 0", *epochs, "select at 2"]
    assert recorder.calls[6:] == [
        "refit from 0",
        *epochs[: 2 * result.choice.epochs],
        f"refit at {result.choice.epochs}",
    ]
    selected, *_, refitted = recorder.records
    assert {"total", "classification", "regression", "penalty", "T1", "H", "AUSUC"} <= selected.metrics.keys()
    assert refitted.validation is None
    assert list(refitted.metrics) == ["total", "classification", "regression", "penalty"]


def test_the_losses_of_an_epoch_are_means_over_its_samples(features: Benchmark) -> None:
    class Whole(Callback):
        record: EpochRecord

        def on_epoch_end(self, stage: Stage, record: EpochRecord) -> None:
            self.record = record

    # One batch, no averaging and no learning: the loss of the epoch is that of the training data.
    optimization = rezsl.training.Optimization(learning_rate=1e-30, averaging=0.0)
    training = Training(
        loss=None, max_epochs=1, batches=Batches(ways=0, size=1000), accelerator="cpu", optimization=optimization
    )
    whole, parts = Whole(), Whole()
    for callback, size in ((whole, 1000), (parts, 7)):
        training = replace(training, batches=Batches(ways=0, size=size))
        model = rezsl.models.LinearRegressor
        select(Setup(features, model, training=training, callbacks=[callback], progress=False))
    assert parts.record.losses["total"] == pytest.approx(whole.record.losses["total"], rel=1e-5)


def test_a_resumed_run_restores_the_state_of_callbacks(features: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(PowerCutError):
        fit(features, Recorder(), PowerCut(2), run_dir=tmp_path / "run")
    recorder = Recorder()
    fit(features, recorder, run_dir=tmp_path / "run", resume=True)
    before = ["select from 0", "start 0", "end 1", "start 1", "end 2"]
    assert recorder.calls[:9] == [*before, "select from 2", "start 2", "end 3", "start 3"]


def test_the_end_is_reported_after_an_error(features: Benchmark) -> None:
    recorder = Recorder()
    with pytest.raises(PowerCutError):
        fit(features, recorder, PowerCut(1))
    assert recorder.calls[-2:] == ["start 1", "select at 1"]


def test_a_model_in_closed_form_has_one_epoch(features: Benchmark) -> None:
    recorder = Recorder()
    fit(features, recorder, model=ESZSL)
    assert recorder.calls == [
        *("select from 0", "start 0", "end 1", "start 1", "select at 1"),
        *("refit from 0", "start 0", "end 1", "refit at 1"),
    ]
    assert recorder.records[0].metrics["H"] == recorder.records[0].validation.oracle.harmonic_mean  # type: ignore[union-attr]


def test_any_logger_of_lightning_receives_the_metrics(features: Benchmark, tmp_path: Path) -> None:
    recorder, logger = Recorder(), CSVLogger(tmp_path)
    assert isinstance(logger, Logger)
    fit(features, recorder, logger=logger)
    (file,) = tmp_path.rglob("metrics.csv")
    header, *rows = (line.split(",") for line in file.read_text().splitlines())
    assert {"select/H", "select/total", "refit/total", "select/learning_rate", "test/H"} <= set(header)
    logged = [float(row[header.index("select/H")]) for row in rows if row[header.index("select/H")]]
    assert logged == [record.metrics["H"] for record in recorder.records if record.validation is not None]


def test_fit_is_select_then_refit_then_evaluate(features: Benchmark) -> None:
    whole = fit(features)
    setup = Setup(features, training=TRAINING, progress=False)
    selected, choice = select(setup)
    model = refit(setup, choice)
    assert choice == whole.choice
    assert selected.gamma == whole.choice.gamma
    assert whole.test is not None
    assert rezsl.evaluate(model, features).metrics() == whole.test.metrics()


def test_a_step_is_seeded_as_torch_seeds() -> None:
    with torch.random.fork_rng(devices=()):
        seed_step(3, 5, torch.device("cpu"))
        drawn = torch.rand(4)
        torch.manual_seed(3 * 1_000_000_007 + 5)
        assert torch.equal(torch.rand(4), drawn)
