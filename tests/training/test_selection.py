"""The selection over class folds, and the settings that it chooses."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import rezsl
from rezsl.classifier import ZeroShotClassifier
from rezsl.data import Benchmark, class_folds
from rezsl.errors import ArgumentError, DataError
from rezsl.functional import SeenUnseenCurve, average_curves, l2_normalize, seen_unseen_curve, varied_attributes
from rezsl.losses import MSELoss, ReMSELoss
from rezsl.models import ESZSL, Bilinear, LinearRegressor
from rezsl.regions import FeatureScaler
from rezsl.semantics import ClassSemantics
from rezsl.training import Batches, Choice, Optimization, Setup, Training, select, train_classifier
from rezsl.training._assembly import ModelBuilder
from rezsl.training._step import TrainingStep
from rezsl.training.callbacks import BestEpoch
from rezsl.training.protocol import choice_over, selection_splits
from tests.oracles import scoring as oracle
from tests.training.interruptions import PowerCut, PowerCutError

QUICK = Training(max_epochs=2, batches=Batches(ways=4, shots=4, per_epoch=3), accelerator="cpu", folds=3)


def random_curve(generator: torch.Generator, samples: int = 40) -> SeenUnseenCurve:
    scores = torch.randn(2, samples, 6, generator=generator)
    labels = torch.randint(3, (2, samples), generator=generator)
    return seen_unseen_curve(scores[0], labels[0], scores[1], labels[1] + 3, torch.arange(6) < 3)


def test_the_average_of_curves_is_the_mean_at_every_gamma(generator: torch.Generator) -> None:
    curves = [random_curve(generator, samples) for samples in (20, 40, 60)]
    average = average_curves(curves)
    for gamma in (-100.0, -1.3, 0.0, 0.21, 0.7, 100.0, *average.gamma[1::7].tolist()):
        point, parts = average.at(gamma), [curve.at(gamma) for curve in curves]
        assert point.seen == pytest.approx(sum(part.seen for part in parts) / 3)
        assert point.unseen == pytest.approx(sum(part.unseen for part in parts) / 3)
    (alone,) = (average_curves(curves[:1]),)
    assert alone.best() == curves[0].best()


def test_folds_choose_the_epoch_and_gamma_that_are_best_for_all(generator: torch.Generator) -> None:
    folds = [BestEpoch(patience=9) for _ in range(2)]
    for fold, epochs in zip(folds, (3, 2), strict=True):
        for epoch in range(1, epochs + 1):
            fold.curves.append(random_curve(generator))
            fold.epochs.append(Choice(epoch, 0.0, 0.5 + 0.1 * epoch, 0.0, 0.0, 0.0, 4))
    choice = choice_over(folds, highest=False)
    best = {}
    for epoch in range(2):
        curve = average_curves([fold.curves[epoch] for fold in folds])
        best[epoch] = curve.best()
    expected = max(best, key=lambda epoch: best[epoch].harmonic_mean)
    assert choice.epochs == expected + 1
    assert choice.gamma == best[expected].gamma
    assert choice.harmonic_mean == pytest.approx(best[expected].harmonic_mean)
    assert choice.t1 == pytest.approx(0.5 + 0.1 * choice.epochs)
    assert (choice.folds, choice.unseen_classes) == (2, 8)


@pytest.mark.parametrize("folds", [2, 3, 20])
def test_every_seen_class_is_held_out_in_one_fold(features: Benchmark, folds: int) -> None:
    splits = class_folds(features, folds, seed=1)
    assert len(splits) == min(folds, 4)
    held_out = [name for parts in splits for name in features.class_names(parts.val_unseen)]
    assert sorted(held_out) == sorted(features.seen_classes)
    for parts in splits:
        images = torch.cat([parts.train, parts.val_seen, parts.val_unseen])
        assert sorted(images.tolist()) == sorted(features.split.trainval.tolist())
        assert not set(features.class_names(parts.val_unseen)) & set(features.class_names(parts.train))
        assert len(parts.val_seen)


def test_two_classes_are_too_few_for_folds(features: Benchmark) -> None:
    parts = features.split
    few, tested = (index[features.labels[index] < 2] for index in (parts.trainval, parts.test_seen))
    split = replace(parts, trainval=few, test_seen=tested)
    with pytest.raises(DataError, match="at least 3"):
        class_folds(replace(features, split=split), 2, seed=0)


def test_what_is_left_open_is_tried_in_every_fold_and_recorded(features: Benchmark, tmp_path: Path) -> None:
    seen: list[tuple[str, bool]] = []

    class Watch(rezsl.training.Callback):
        def on_training_start(self, stage: rezsl.training.Stage) -> None:
            seen.append((stage.name, stage.classifier.centered))

    candidates = QUICK.candidates(frozen_regions=True)
    assert [(one.centered, one.mixup) for one in candidates] == [(False, 0.0), (False, 1.0), (True, 0.0), (True, 1.0)]
    (settled,) = replace(QUICK, centered=True, mixup=0.5).candidates(frozen_regions=True)
    assert (settled.centered, settled.mixup, settled.optimization.learning_rate) == (True, 0.5, 1e-3)
    (plain,) = QUICK.candidates()
    assert (plain.centered, plain.mixup, plain.optimization.learning_rate) == (False, 0.0, 4e-3)
    (given,) = replace(QUICK, optimization=Optimization(learning_rate=0.5), protocol="oracle").candidates(True)
    assert (given.centered, given.mixup, given.optimization.learning_rate) == (False, 0.0, 0.5)
    training = replace(QUICK, centered=True)
    result = rezsl.fit(
        features, LinearRegressor, training=training, callbacks=[Watch()], run_dir=tmp_path, progress=False
    )
    names = [name for name, _ in seen]
    assert names == ["select", "select-2", "select-3", "refit"]
    assert all(centered for _, centered in seen)
    assert (result.choice.folds, result.choice.unseen_classes, result.choice.centered) == (3, 4, True)
    again = rezsl.load_model(tmp_path)
    assert again.centered
    torch.testing.assert_close(again.comparison.origin, result.model.comparison.origin)
    inputs = features.inputs[:5]
    assert isinstance(inputs, torch.Tensor)
    assert again.classify(inputs) == result.model.classify(inputs)


def test_the_progress_bars_name_folds_and_settings_and_the_history_names_stages(
    features: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    candidates = Training.candidates
    # As for regions of a frozen backbone, for which two settings are tried.
    monkeypatch.setattr(Training, "candidates", lambda self, frozen_regions=False: candidates(self, True))
    monkeypatch.setenv("COLUMNS", "80")
    rezsl.fit(features, LinearRegressor, training=QUICK, run_dir=tmp_path / "run")
    lines = capsys.readouterr().err.splitlines()
    tried = ("", ", mixup 1", ", centered", ", mixup 1, centered")
    labels = [f"fold {fold} of 3{settings}" for settings in tried for fold in (1, 2, 3)]
    assert [re.split(r" +━", line)[0] for line in lines] == [*labels, "refit"]
    assert all(re.search(r"2/2 epochs 0:00:0\d loss \d+\.\d\d( H \d+\.\d %)?$", line.rstrip()) for line in lines)
    history = (tmp_path / "run" / "history.csv").read_text().splitlines()[1:]
    names = list(dict.fromkeys(row.split(",")[0] for row in history))
    assert names == ["select", *(f"select-{number}" for number in range(2, 13)), "refit"]
    # Settings that were given are not among those that are tried, and one fold is called the selection.
    given = replace(QUICK, folds=1, centered=True, mixup=1.0)
    rezsl.fit(features, LinearRegressor, training=given)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in lines] == ["select", "refit"]
    assert "validation H" in lines[0]


@pytest.mark.parametrize("stage", ["select-2", "refit"])
def test_a_selection_over_folds_resumes_as_if_it_had_never_stopped(
    features: Benchmark, tmp_path: Path, stage: str
) -> None:
    setup: dict[str, Any] = {"training": replace(QUICK, mixup=1.0), "progress": False}
    whole = rezsl.fit(features, LinearRegressor, run_dir=tmp_path / "whole", **setup)
    with pytest.raises(PowerCutError):
        rezsl.fit(features, LinearRegressor, run_dir=tmp_path / "cut", callbacks=[PowerCut(1, stage)], **setup)
    resumed = rezsl.fit(features, LinearRegressor, run_dir=tmp_path / "cut", resume=True, **setup)
    assert resumed.choice == whole.choice
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], tensor)


def centered_classifier(semantics: ClassSemantics, **options: Any) -> ZeroShotClassifier:
    network = LinearRegressor(3, semantics)
    return ZeroShotClassifier(FeatureScaler(3), network, semantics, semantics.classes[:4], scale=7.0, **options)


def test_centered_scores_are_cosines_around_the_mean_direction_of_the_seen_classes(
    semantics: ClassSemantics, generator: torch.Generator
) -> None:
    model = centered_classifier(semantics, centered=True)
    predictions = torch.randn(5, 4, generator=generator)
    rows = l2_normalize(semantics.values.double()).numpy()
    origin = rows[:4].sum(axis=0) / 4
    expected = oracle.cosine_scores(predictions.double().numpy() - origin, rows - origin, 7.0)
    torch.testing.assert_close(
        model.class_scores(predictions, semantics.values).double(), torch.from_numpy(expected), rtol=1e-5, atol=1e-5
    )
    explained = rezsl.classifier.explain(model, torch.randn(1, 3, generator=generator))
    assert float(explained.share.sum()) == pytest.approx(explained.winner.score, abs=1e-4)


def test_attributes_that_no_seen_class_varies_in_do_not_count(
    semantics: ClassSemantics, generator: torch.Generator
) -> None:
    values = semantics.values.clone()
    values[:4, 1] = 0.3  # only the classes that are not seen differ in it
    table = replace(semantics, values=values)
    assert varied_attributes(values[:4]).tolist() == [True, False, True, True]
    predictions = torch.randn(5, 4, generator=generator)
    other = predictions.clone()
    other[:, 1] = 100.0
    model = centered_classifier(table, varied_only=True)
    expected = oracle.cosine_scores(
        predictions[:, [0, 2, 3]].double().numpy(), values[:, [0, 2, 3]].double().numpy(), 7.0
    )
    for changed in (predictions, other):
        torch.testing.assert_close(
            model.class_scores(changed, values).double(), torch.from_numpy(expected), rtol=1e-5, atol=1e-5
        )


@pytest.mark.parametrize("option", ["centered", "varied_only"])
def test_scores_that_are_no_cosines_cannot_be_changed(features: Benchmark, option: str) -> None:
    changed: dict[str, Any] = {option: True}
    training = replace(QUICK, **changed)
    with pytest.raises(ArgumentError, match=rf"^{option}: expected false with ESZSL"):
        select(Setup(features, ESZSL, training=training, progress=False))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"centered": "yes"}, "centered: expected true, false or auto, got 'yes'"),
        ({"mixup": "x"}, "mixup: expected a number of at least 0, or auto, got 'x'"),
        ({"mixup": True}, "mixup: expected a number of at least 0, or auto, got True"),
        ({"mixup": -1.0}, "mixup: expected"),
        ({"folds": "x"}, "folds: expected a whole number of at least 1, or auto, got 'x'"),
        ({"folds": 0}, "folds: expected at least 1, got 0"),
    ],
)
def test_settings_outside_their_range_are_refused(options: dict[str, Any], message: str, unchecked: None) -> None:
    with pytest.raises(ArgumentError, match=re.escape(message)):
        Training(**options)


def test_three_classes_in_two_folds_leave_two_to_train_on(features: Benchmark) -> None:
    parts = features.split
    few, tested = (index[features.labels[index] < 3] for index in (parts.trainval, parts.test_seen))
    splits = class_folds(replace(features, split=replace(parts, trainval=few, test_seen=tested)), 2, seed=0)
    assert [len(features.class_names(one.train)) for one in splits] == [2, 2, 2]


def as_regions(features: Benchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the settings be chosen for these features, as they are for regions of a frozen backbone."""
    candidates = Training.candidates
    monkeypatch.setattr(Training, "candidates", lambda self, _=True: candidates(self, frozen_regions=True))


def test_settings_are_chosen_over_folds_and_what_is_given_is_not(features: Benchmark) -> None:
    def folds(frozen_regions: bool, **given: Any) -> int:
        return len(selection_splits(features, replace(QUICK, folds="auto", **given), frozen_regions))

    assert folds(True) == folds(True, mixup=0.0) == folds(True, centered=True) == 4
    assert folds(False) == folds(True, centered=True, mixup=1.0) == folds(True, protocol="oracle") == 1


@pytest.mark.parametrize("model", [ESZSL, Bilinear])
def test_only_what_makes_sense_for_a_model_is_tried(
    features: Benchmark, monkeypatch: pytest.MonkeyPatch, model: ModelBuilder
) -> None:
    as_regions(features, monkeypatch)
    tried: list[tuple[bool, str]] = []

    class Watch(rezsl.training.Callback):
        def on_training_start(self, stage: rezsl.training.Stage) -> None:
            tried.append((stage.classifier.centered, stage.name))

    rezsl.fit(features, model, training=replace(QUICK, folds=1), callbacks=[Watch()], progress=False)
    assert not any(centered for centered, _ in tried)
    assert len(tried) == (2 if model is ESZSL else 3)  # without and with mixup where there is training, and the refit


def test_a_run_resumes_in_its_refit_after_settings_were_chosen(
    features: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_regions(features, monkeypatch)
    setup: dict[str, Any] = {"training": replace(QUICK, folds=1), "progress": False}
    with pytest.raises(PowerCutError):
        rezsl.fit(features, LinearRegressor, run_dir=tmp_path, callbacks=[PowerCut(1, "refit")], **setup)
    selection = tmp_path / "selection.json"
    choice = json.loads(selection.read_text()) | {"centered": True, "mixup": 1.0}
    selection.write_text(json.dumps(choice))
    resumed = rezsl.fit(features, LinearRegressor, run_dir=tmp_path, resume=True, **setup)
    assert resumed.model.centered
    assert json.loads((tmp_path / "settings.json").read_text())["mixup"] == "auto"


def test_mixup_needs_a_loss_without_memory_and_a_training(features: Benchmark) -> None:
    for model, loss, name in ((LinearRegressor, ReMSELoss(memory="ema"), "ReMSELoss"), (ESZSL, None, "ESZSL")):
        training = replace(QUICK, loss=loss, mixup=1.0)
        with pytest.raises(ArgumentError, match=rf"^mixup: expected 0 with {name}"):
            rezsl.fit(features, model, training=training, progress=False)


def test_mixup_trains_on_the_mean_objective_of_both_labels(features: Benchmark) -> None:
    training = Training(loss=MSELoss(), mixup=1.0, augmentation=None, accelerator="cpu", max_epochs=1)
    index = features.split.trainval
    model = train_classifier(Setup(features, LinearRegressor, training=training, progress=False), "fit", index[:40], 1)
    step = TrainingStep(model, features, index, training).train()
    batch = index[::9]
    assert isinstance(features.inputs, torch.Tensor)
    inputs, labels = features.inputs[batch], features.labels[batch]
    torch.manual_seed(5)
    found = step(inputs, labels)
    torch.manual_seed(5)
    share = float(torch.distributions.Beta(1.0, 1.0).sample())
    order = torch.randperm(len(batch))
    prediction = model(share * inputs + (1 - share) * inputs[order])
    objective, positions = step.objective, step.positions[labels]
    first, second = (objective(prediction, rows) for rows in (positions, positions[order]))
    for got, one, other in zip(found, first, second, strict=True):
        torch.testing.assert_close(got, share * one + (1 - share) * other, rtol=1e-5, atol=1e-6)
    step.eval()
    torch.testing.assert_close(step(inputs, labels).total, objective(model(inputs), positions).total)
