import csv
import json
import pickle
import signal
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rezsl
from rezsl.data import Benchmark, ImageFormat, load_digits
from rezsl.errors import ArgumentError, DataError, DivergenceError, RunDirectoryError
from rezsl.evaluation import Evaluation, analyse_validation
from rezsl.functional import CurvePoint
from rezsl.functional.shapes import Labels, Predictions, Scalar
from rezsl.losses import MSELoss, RegressionLoss, ReMSELoss
from rezsl.models import ESZSL, AttentionNet, LinearRegressor, MLPRegressor
from rezsl.semantics import ClassSemantics
from rezsl.training import (
    Augmentation,
    Batches,
    Callback,
    Choice,
    EpochRecord,
    FitResult,
    Optimization,
    RunDirectory,
    Setup,
    Stage,
    Training,
    select,
)
from rezsl.training._assembly import BatchesOf, ModelBuilder, load_batches
from rezsl.training._recording import read_checkpoint, write_checkpoint
from rezsl.training.callbacks import BestEpoch
from rezsl.training.optimization import OptimizerName
from tests.training.interruptions import CtrlC, PowerCut, PowerCutError

# Other tests of this room check the shapes of all that these runs call.
pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.fixture
def few_digits() -> Benchmark:
    """Every fifth digit image."""
    digits = load_digits()
    assert isinstance(digits.inputs, torch.Tensor)
    parts = {name: index[::5] for name, index in digits.split.parts().items()}
    trainval = torch.cat([parts["train"], parts["val"]]).sort().values
    return replace(digits, split=replace(digits.split, **parts | {"trainval": trainval}))


def quick(data: Benchmark, run_dir: Path | None = None, resume: bool = False, **options: object) -> FitResult:
    """A short training on a CPU; options that are fields of Training go into it, the others to fit."""
    settings: dict[str, Any] = {"max_epochs": 3, "batches": Batches(ways=4, shots=4), "accelerator": "cpu"} | options
    training = Training(
        **{field.name: settings.pop(field.name) for field in fields(Training) if field.name in settings}
    )
    return rezsl.fit(data, training=training, run_dir=run_dir, resume=resume, **{"progress": False} | settings)


def weights(result: FitResult) -> dict[str, torch.Tensor]:
    return result.model.state_dict()


@pytest.mark.parametrize("model", [None, LinearRegressor, MLPRegressor, AttentionNet])
@pytest.mark.parametrize("loss", [None, MSELoss(), ReMSELoss(memory="running")])
def test_every_model_and_loss_learns_features(
    learnable: Benchmark, model: ModelBuilder | None, loss: RegressionLoss | None
) -> None:
    result = quick(learnable, model=model, loss=loss, max_epochs=6)
    assert result.test is not None
    assert result.test.t1 > 0.7  # chance is 0.25
    assert result.test.curve.ausuc > 0.4
    assert result.model.gamma == result.test.point.gamma
    assert result.model.seen_classes == learnable.seen_classes


def test_a_run_directory_holds_everything(few_digits: Benchmark, tmp_path: Path) -> None:
    run = tmp_path / "runs" / "digits"
    result = quick(few_digits, run)
    assert result.run_dir == run
    metrics = json.loads((run / "metrics.json").read_text())
    assert result.test is not None
    assert metrics["test"]["T1"] == result.test.t1
    assert metrics["validation"]["epochs"] == result.choice.epochs
    with (run / "history.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["stage"] for row in rows] == ["select"] * 3 + ["refit"] * result.choice.epochs
    chosen = rows[result.choice.epochs - 1]
    assert float(chosen["H"]) == pytest.approx(result.choice.harmonic_mean, rel=1e-4)
    assert float(chosen["gamma"]) == pytest.approx(result.choice.gamma, rel=1e-4)
    with np.load(run / "validation_errors.npz", allow_pickle=False) as errors:
        assert errors["epochs"].tolist() == [1, 2, 3]
        means = errors["errors"].mean(axis=(1, 2))
        assert errors["class_semantics"].shape == (len(errors["classes"]), len(errors["attributes"]))
    assert means.tolist() == pytest.approx([float(row["error_mean"]) for row in rows[:3]], rel=1e-4)
    # The saved validation predictions give the metrics of the chosen epoch again, which is not the last one tried.
    validation = analyse_validation(run, few_digits)
    assert validation is not None
    assert validation[0].t1 == result.choice.t1
    assert validation[0].point.harmonic_mean == result.choice.harmonic_mean
    assert validation[0].point.gamma == pytest.approx(result.choice.gamma, rel=1e-6)
    first, second = few_digits.labels[few_digits.split.trainval].unique()[:2]
    swapped = few_digits.labels.where(few_digits.labels != first, second).where(few_digits.labels != second, first)
    other = replace(few_digits, labels=swapped)
    with pytest.raises(DataError, match=r"validation_predictions.npz: expected the data of the run, got other images"):
        analyse_validation(run, other)
    loaded = rezsl.load_model(run)
    torch.testing.assert_close(
        loaded.predict_semantics(few_digits.inputs), result.model.predict_semantics(few_digits.inputs), rtol=0, atol=0
    )
    assert rezsl.evaluate(loaded, few_digits).metrics() == result.test.metrics()


def test_equal_seeds_give_equal_weights(few_digits: Benchmark) -> None:
    first, again, other = (quick(few_digits, seed=seed) for seed in (1, 1, 2))
    for name, tensor in weights(first).items():
        torch.testing.assert_close(weights(again)[name], tensor, rtol=0, atol=0, msg=name)
    assert not torch.equal(weights(first)["network.readout"], weights(other)["network.readout"])


def test_the_random_numbers_of_the_caller_are_left_alone(few_digits: Benchmark) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    quick(few_digits, max_epochs=1)
    assert torch.equal(torch.rand(3), expected)


def test_selection_never_looks_at_the_test(few_digits: Benchmark) -> None:
    """Without a test set, or with scrambled test labels, the same model comes out."""
    whole = quick(few_digits)
    scrambled = few_digits.labels.clone()
    unseen = few_digits.split.test_unseen
    scrambled[unseen] = scrambled[unseen.flip(0)]
    for other in (
        replace(few_digits, labels=scrambled),
        replace(few_digits, split=replace(few_digits.split, test_unseen=unseen[:0], test_seen=unseen[:0])),
    ):
        result = quick(other)
        assert result.choice == whole.choice
        for name, tensor in weights(whole).items():
            torch.testing.assert_close(weights(result)[name], tensor, rtol=0, atol=0, msg=name)
    assert result.test is None  # nothing to test on


def test_a_single_validation_class_is_pointed_out(features: Benchmark, few_digits: Benchmark) -> None:
    """Among one class every image is right."""
    alone = quick(features, max_epochs=1).choice
    assert (alone.unseen_classes, alone.t1) == (1, 1.0)
    assert "one validation class, so validation T1 is 100 % by construction" in alone.notes[0]
    several = quick(few_digits, max_epochs=1).choice
    assert several.unseen_classes == 2
    assert "rests on 2 validation classes" in several.notes[0]
    assert "--unseen-only" in several.notes[0]


@pytest.mark.parametrize("stage", ["select", "refit"])
def test_a_resumed_run_ends_as_if_it_had_never_stopped(few_digits: Benchmark, tmp_path: Path, stage: str) -> None:
    loss = ReMSELoss(memory="ema")
    whole = quick(few_digits, tmp_path / "whole", loss=loss)
    assert whole.choice.epochs == 3  # so that the refit has a middle to stop in
    with pytest.raises(PowerCutError):
        quick(few_digits, tmp_path / "parts", loss=loss, callbacks=[PowerCut(2, stage)])
    resumed = quick(few_digits, tmp_path / "parts", resume=True, loss=loss)
    assert resumed.choice == whole.choice
    for name, tensor in weights(whole).items():
        torch.testing.assert_close(weights(resumed)[name], tensor, rtol=0, atol=0, msg=name)
    histories = []
    for run in ("whole", "parts"):
        with (tmp_path / run / "history.csv").open(newline="") as stream:
            histories.append([{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(stream)])
    assert histories[0] == histories[1]
    errors = [np.load(tmp_path / run / "validation_errors.npz")["errors"] for run in ("whole", "parts")]
    np.testing.assert_array_equal(*errors)


def test_ctrl_c_leaves_a_model_and_a_run_to_go_on_with(few_digits: Benchmark, tmp_path: Path) -> None:
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        quick(few_digits, tmp_path / "run", callbacks=[CtrlC(2)])
    assert signal.getsignal(signal.SIGINT) is handler
    model = rezsl.load_model(tmp_path / "run")
    assert model.seen_classes == ("0", "3", "6", "7", "9")  # the selection stage's
    assert model.gamma != 0
    assert not (tmp_path / "run" / "metrics.json").exists()
    with pytest.raises(RunDirectoryError, match="holds an unfinished run; add --resume"):
        quick(few_digits, tmp_path / "run")
    assert quick(few_digits, tmp_path / "run", resume=True).test is not None


def test_nothing_is_overwritten(features: Benchmark, tmp_path: Path) -> None:
    quick(features, tmp_path / "run")
    for resume in (False, True):
        with pytest.raises(RunDirectoryError, match="holds a finished run; choose another directory"):
            quick(features, tmp_path / "run", resume)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("years of work")
    with pytest.raises(RunDirectoryError, match="holds other files; choose another directory"):
        quick(features, tmp_path / "other")
    with pytest.raises(RunDirectoryError, match="does not exist, so there is nothing to resume"):
        quick(features, tmp_path / "none", resume=True)


def test_a_run_is_resumed_with_its_own_settings(few_digits: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        quick(few_digits, tmp_path / "run", callbacks=[CtrlC(1)])
    with pytest.raises(RunDirectoryError, match=r"begun with other settings \(loss_weight: 1.0 → 2.0; seed: 0 → 5\)"):
        quick(few_digits, tmp_path / "run", resume=True, loss_weight=2.0, seed=5)
    assert isinstance(few_digits.inputs, torch.Tensor)
    inverted = replace(few_digits, inputs=255 - few_digits.inputs)
    with pytest.raises(RunDirectoryError, match=r"begun with other settings \(data\.sha256; data\.checksums\.inputs\)"):
        quick(inverted, tmp_path / "run", resume=True)


def test_a_damaged_checkpoint_is_named(few_digits: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        quick(few_digits, tmp_path / "run", callbacks=[CtrlC(1)])
    checkpoint = tmp_path / "run" / "checkpoints" / "select.safetensors"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(
        RunDirectoryError, match=r"select\.safetensors: expected a checkpoint, got a damaged file .*move it away"
    ):
        quick(few_digits, tmp_path / "run", resume=True)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("settings.json", "[]", "expected the settings of a run, got JSON of the type list; restore the file"),
        ("settings.json", '{"seed": 0', "expected the settings of a run, got a damaged file .*; restore the file"),
        ("selection.json", "{}", "expected a number for each of epochs, gamma, .* move it away to select again"),
        ("selection.json", '{"epochs": 0}', "expected a number for each of epochs"),
        ("history.csv", "some,thing\nel,se\n", "expected the columns stage, .* move it away"),
        (
            "history.csv",
            "\0\udcff",
            "expected the columns stage, .*, got ÿ; the file is damaged, move it away",
        ),
        (
            "checkpoints/select.safetensors",
            "",
            "expected a checkpoint, got a damaged file .* move it away to train this stage again",
        ),
    ],
)
def test_a_damaged_record_is_named_and_the_run_stays(
    features: Benchmark, tmp_path: Path, file: str, content: str, message: str
) -> None:
    with pytest.raises(KeyboardInterrupt):
        quick(features, tmp_path / "run", callbacks=[CtrlC(1)])
    path = tmp_path / "run" / file
    path.write_bytes(content.encode(errors="surrogateescape"))
    before = {path: path.read_bytes() for path in (tmp_path / "run").glob("*.*")}
    with pytest.raises(RunDirectoryError, match=rf"{path.name}: {message}"):
        quick(features, tmp_path / "run", resume=True)
    assert {path: path.read_bytes() for path in before} == before
    if "move it away" in message:
        path.unlink()
        assert quick(features, tmp_path / "run", resume=True).test is not None


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path, unchecked: None) -> None:
    path = tmp_path / "select.safetensors"
    contents: list[Any] = [{"state_dict": {}}, [1, 2], 3]
    for content in contents:
        write_checkpoint(path, content)
        with pytest.raises(
            RunDirectoryError, match=r"select\.safetensors: expected a checkpoint, got a damaged file .*move it away"
        ):
            read_checkpoint(path, ("step",))


def test_a_run_that_fails_before_its_first_epoch_leaves_nothing(features: Benchmark, tmp_path: Path) -> None:
    def broken(region_dim: int, semantics: ClassSemantics) -> LinearRegressor:
        network = LinearRegressor(region_dim, semantics)
        network.register_forward_pre_hook(lambda *_: (_ for _ in ()).throw(MemoryError("too large")))
        return network

    with pytest.raises(MemoryError):
        quick(features, tmp_path / "run", model=broken)
    assert not (tmp_path / "run").exists()
    assert quick(features, tmp_path / "run").test is not None


def test_a_run_that_fails_later_can_be_gone_on_with(features: Benchmark, tmp_path: Path) -> None:
    full = PowerCut(1, error=OSError(28, "No space left on device"))
    with pytest.raises(OSError, match="No space left"):
        quick(features, tmp_path / "run", callbacks=[full])
    assert quick(features, tmp_path / "run", resume=True).test is not None


def epochs_of(harmonic_means: list[float], standard_error: float) -> BestEpoch:
    selection = BestEpoch(patience=3)
    selection.epochs = [
        Choice(n, 0.1 * n, 0.0, h, standard_error, 0.0, 5) for n, h in enumerate(harmonic_means, start=1)
    ]
    return selection


@pytest.mark.parametrize(
    ("harmonic_means", "standard_error", "epochs"),
    [
        ([0.1, 0.5, 0.4, 0.3], 0.0, 2),  # nothing but the best
        ([0.1, 0.5, 0.4, 0.3], 0.1, 3),  # the last within one standard error
        ([0.1, 0.2, 0.3], 0.5, 3),
        ([0.4, 0.4, 0.1], 0.0, 2),
    ],
)
def test_the_last_epoch_within_one_standard_error_is_chosen(
    harmonic_means: list[float], standard_error: float, epochs: int
) -> None:
    choice = epochs_of(harmonic_means, standard_error).choice
    assert choice is not None
    assert choice.epochs == epochs
    assert choice.gamma == pytest.approx(0.1 * epochs)


def falling_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    falls = iter([0.5, 0.9, 0.1, 0.1, 0.1, 0.95, 0.95, 0.95])
    monkeypatch.setattr(CurvePoint, "harmonic_mean", property(lambda _: next(falls)))
    monkeypatch.setattr(Evaluation, "harmonic_mean_error", 0.0)
    monkeypatch.setattr(Evaluation, "metrics", lambda _: {"H": 0.0})
    monkeypatch.setattr(Evaluation, "to_dict", lambda _: {})


def test_selection_stops_when_validation_has_fallen_for_a_while(
    learnable: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    falling_validation(monkeypatch)
    result = quick(learnable, tmp_path / "run", max_epochs=200, patience=3)
    with (tmp_path / "run" / "history.csv").open(newline="") as stream:
        stages = [row["stage"] for row in csv.DictReader(stream)]
    assert (stages.count("select"), stages.count("refit"), result.choice.epochs) == (5, 2, 2)


def test_selection_that_has_stopped_stays_so_when_resumed(
    learnable: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The power goes off between the last epoch and the record of the choice."""
    falling_validation(monkeypatch)
    whole = quick(learnable, tmp_path / "whole", max_epochs=200, patience=3)

    def stop(self: RunDirectory, choice: Choice) -> None:
        raise PowerCutError

    falling_validation(monkeypatch)
    with monkeypatch.context() as power_cut:
        power_cut.setattr(RunDirectory, "record_choice", stop)
        with pytest.raises(PowerCutError):
            quick(learnable, tmp_path / "parts", max_epochs=200, patience=3)
    resumed = quick(learnable, tmp_path / "parts", max_epochs=200, patience=3, resume=True)
    assert resumed.choice == whole.choice
    for name, tensor in weights(whole).items():
        torch.testing.assert_close(weights(resumed)[name], tensor, rtol=0, atol=0, msg=name)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("schedule", ["one-cycle", "cosine", "step", "constant"])
def test_optimizers_and_schedules(learnable: Benchmark, optimizer: str, schedule: str) -> None:
    rate = 1e-2 if optimizer == "adamw" else 0.1
    optimization = Optimization(optimizer, learning_rate=rate, schedule=schedule)  # type: ignore[arg-type]
    result = quick(learnable, optimization=optimization, max_epochs=5)
    assert result.test is not None
    assert result.test.t1 > 0.8


class Watch(Callback):
    """Keeps the validation metrics of each epoch."""

    def __init__(self, epochs: list[Choice]) -> None:
        self.epochs = epochs

    def on_epoch_end(self, stage: Stage, record: EpochRecord) -> None:
        self.epochs.append(Choice.of(record))


def test_what_is_selected_does_not_depend_on_any_test_image_or_class(learnable: Benchmark) -> None:
    """Test images and the semantics of unseen classes may be anything: the choice, epoch by epoch, is the same."""
    assert isinstance(learnable.inputs, torch.Tensor)
    split = learnable.split
    inputs, values = learnable.inputs.clone(), learnable.semantics.values.clone()
    inputs[torch.cat([split.test_seen, split.test_unseen])] = 1e6
    values[learnable.labels[split.test_unseen].unique()] = 0.5
    spoilt = replace(learnable, inputs=inputs, semantics=replace(learnable.semantics, values=values))
    for model, loss in ((LinearRegressor, ReMSELoss()), (ESZSL, MSELoss())):
        seen: list[list[Choice]] = [[], []]
        for data, epochs in zip((learnable, spoilt), seen, strict=True):
            training = Training(loss=loss, max_epochs=2, batches=Batches(ways=4, shots=4), accelerator="cpu")
            select(Setup(data, model, training=training, callbacks=[Watch(epochs)], progress=False))
        assert seen[0] == seen[1]
        assert seen[0]


def test_plain_shuffling(learnable: Benchmark) -> None:
    result = quick(learnable, batches=Batches(ways=0, size=16), max_epochs=5)
    assert result.test is not None
    assert result.test.t1 > 0.8


@pytest.mark.parametrize("batches", [Batches(ways=3, shots=2, per_epoch=200), Batches(ways=0, size=16)])
def test_losses_are_told_how_often_each_class_is_drawn(learnable: Benchmark, batches: Batches) -> None:
    """Not how many samples there are: class episodes draw a rare class as often as any other."""

    class Recording(MSELoss):
        told = torch.empty(0)

        def prepare(self, class_semantics: torch.Tensor, class_counts: torch.Tensor) -> None:
            Recording.told = class_counts

    labels = torch.arange(4).repeat_interleave(torch.tensor([60, 20, 10, 30]))
    drawn = torch.cat([labels[batch] for batch in batches.sampler(torch.arange(120), labels, seed=0)]).bincount()
    told = batches.drawn(labels)
    torch.testing.assert_close(told / told.sum(), drawn / drawn.sum(), rtol=0.02, atol=0)
    quick(learnable, model=LinearRegressor, loss=Recording(), batches=batches, max_epochs=1)
    of_benchmark = learnable.labels[learnable.split.trainval]
    assert torch.equal(Recording.told, batches.drawn(of_benchmark))


def test_episodes_of_few_classes_keep_their_size() -> None:
    labels = torch.arange(70) % 7
    batches = list(Batches(ways=16, shots=2).sampler(torch.arange(70), labels, seed=0))
    assert [len(batch) for batch in batches] == [28] * 3  # 7 classes × 4, as near to 16 × 2 as they come


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_epochs": 0}, "max_epochs: expected at least 1, got 0"),
        ({"patience": 0}, "patience: expected at least 1, got 0"),
        ({"resume": True}, "run_dir: expected the directory of the run to resume, got none"),
        ({"loss_weight": -1.0}, "loss_weight: expected a finite number of at least 0, got -1"),
    ],
)
def test_an_argument_out_of_range_is_named(features: Benchmark, options: dict[str, object], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        quick(features, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (lambda: Optimization(learning_rate=0.0), "learning_rate: expected a positive number, got 0"),
        (lambda: Optimization(weight_decay=-1.0), "weight_decay: expected a finite number of at least 0, got -1"),
        (lambda: Optimization(averaging=1.0), r"averaging: expected a number in \[0, 1\), got 1"),
        (lambda: Optimization(step_epochs=0), "step_epochs: expected at least 1, got 0"),
        (lambda: Optimization(schedule="linear"), "schedule: expected one of one-cycle, cosine, step, constant"),  # type: ignore[arg-type]
        (lambda: Batches(size=0), "size: expected at least 1, got 0"),
        (lambda: Augmentation(rotation=-1.0), "augmentation.rotation: expected a number from 0 to 180, got -1"),
    ],
)
def test_a_setting_out_of_range_is_named(settings: Callable[[], object], message: str, unchecked: None) -> None:
    with pytest.raises(ArgumentError, match=message):
        settings()


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_biases_and_normalisation_decay_only_where_it_is_asked_for(optimizer: OptimizerName) -> None:
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Linear(4, 2))
    for everything in (False, True):
        built = Optimization(optimizer, weight_decay=0.3, decay_biases=everything).build(module)
        decays = {id(weight): group["weight_decay"] for group in built.param_groups for weight in group["params"]}
        assert [decays[id(weight)] for weight in module.parameters()] == [
            0.3 if everything or weight.ndim > 1 else 0.0 for weight in module.parameters()
        ]


def test_a_schedule_rises_and_falls() -> None:
    rate = Optimization(schedule="one-cycle").factor(steps_per_epoch=10, max_epochs=10)
    rates = [rate(step) for step in range(101)]
    peak = rates.index(max(rates))
    assert peak == 20
    assert rates[:21] == sorted(rates[:21])
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert rates[20] == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(1e-3)
    step = Optimization(schedule="step", step_epochs=10, step_factor=0.5).factor(steps_per_epoch=7, max_epochs=30)
    rates = [step(7 * (epoch - 1) + within) for epoch in range(1, 31) for within in range(7)]
    assert rates == [1.0] * 9 * 7 + [0.5] * 10 * 7 + [0.25] * 10 * 7 + [0.125] * 7  # before epochs 10, 20 and 30
    assert Optimization(schedule="step", step_epochs=1, step_factor=0.5).factor(7, 3)(0) == 0.5


@pytest.mark.parametrize("channels", [1, 3])
def test_augmentation_changes_images_but_keeps_their_format(channels: int) -> None:
    torch.manual_seed(0)
    images = torch.rand(4, channels, 16, 16)
    changed = Augmentation(horizontal_flip=0.5).build(channels)(images)
    assert changed.shape == images.shape
    assert bool(((changed >= 0) & (changed <= 1)).all())
    assert (changed - images).abs().mean() > 0.01


def test_every_image_of_a_batch_is_changed_in_its_own_way() -> None:
    torch.manual_seed(0)
    images = torch.rand(1, 3, 16, 16).expand(4, -1, -1, -1)
    changed = Augmentation().build(3)(images)
    assert not torch.allclose(changed[0], changed[1])


def test_processes_that_load_batches_get_the_same_ones_without_the_model(few_digits: Benchmark) -> None:
    alone, helped = (quick(few_digits, workers=workers, max_epochs=1, augmentation=None) for workers in (0, 2))
    for name, tensor in weights(alone).items():
        torch.testing.assert_close(weights(helped)[name], tensor, rtol=0, atol=0, msg=name)
    sent = vars(BatchesOf(few_digits, alone.model.input_format))
    assert len(pickle.dumps(sent | {"inputs": None, "labels": None})) < 1000


@pytest.mark.parametrize(("device", "pinned"), [("cpu", False), ("cuda", True)])
def test_batches_are_pinned_where_they_go_to_a_gpu(
    few_digits: Benchmark, monkeypatch: pytest.MonkeyPatch, device: str, pinned: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: not pinned)  # what the machine has is beside the point
    batches, index = BatchesOf(few_digits, ImageFormat(16, 1)), [few_digits.split.val.tolist()]
    assert load_batches(batches, index, 0, torch.device(device)).pin_memory is pinned


class Diverging(MSELoss):
    """An MSE that is no number for one class."""

    def forward(self, prediction: Predictions, target: Predictions, labels: Labels) -> Scalar:
        """Return the loss of a batch."""
        return super().forward(prediction, target, labels) * torch.where((labels == 2).any(), torch.nan, 1.0)


def test_a_loss_that_is_no_number_ends_the_run_before_the_weights_change(features: Benchmark, tmp_path: Path) -> None:
    training = Training(loss=Diverging(), max_epochs=2, accelerator="cpu", batches=Batches(ways=1, shots=4))
    with pytest.raises(
        DivergenceError,
        match=r"^loss: .*finite number, got nan \(regression\) at step \d+ of stage select, in a batch of 'd'; check",
    ):
        rezsl.fit(features, LinearRegressor, training=training, run_dir=tmp_path / "run", progress=False)
    assert not (tmp_path / "run" / "model.safetensors").exists()
