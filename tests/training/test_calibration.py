"""Probabilities that agree with accuracies, and inputs that are refused."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import rezsl
from rezsl.classifier import ZeroShotClassifier, load_model, save_model
from rezsl.data import Benchmark
from rezsl.errors import ArgumentError
from rezsl.evaluation import evaluate
from rezsl.functional import l2_normalize
from rezsl.functional.familiarity import KEPT_SHARE
from rezsl.models import LinearRegressor
from rezsl.regions import FeatureScaler, ScaledImageBackbone, small_resnet
from rezsl.semantics import ClassSemantics
from rezsl.training import Batches, Training, fit
from rezsl.training.calibration import KEPT, Validated, ValidatedKind, calibrate

QUICK = Training(max_epochs=3, batches=Batches(ways=4, shots=4, per_epoch=6), accelerator="cpu")


@pytest.fixture
def fitted(features: Benchmark) -> ZeroShotClassifier:
    return fit(features, training=QUICK, progress=False).model


def foreign(count: int = 50) -> torch.Tensor:
    return 5 * torch.randn(count, 8, generator=torch.Generator().manual_seed(1))


def test_foreign_features_are_refused_and_those_of_the_classes_are_kept(
    features: Benchmark, fitted: ZeroShotClassifier, tmp_path: Path
) -> None:
    found = evaluate(fitted, features, foreign=foreign())
    assert found.false_reject_seen < 0.2
    assert found.false_reject_unseen < 0.3
    assert found.false_accept < 0.2
    answers = fitted.classify(foreign())
    assert sum(answer.far for answer in answers) / 50 == pytest.approx(1 - found.false_accept)
    assert [answer.far for answer in answers] == [answer.strangeness > 0 for answer in answers]
    save_model(fitted, tmp_path)
    copy = load_model(tmp_path)
    assert copy.temperature == fitted.temperature
    torch.testing.assert_close(copy.examine(foreign()), fitted.examine(foreign()), rtol=0, atol=0)
    assert [answer[0].probability for answer in copy.classify(foreign())] == [a[0].probability for a in answers]


def test_the_calibration_rests_on_no_test_image(features: Benchmark, fitted: ZeroShotClassifier) -> None:
    assert isinstance(features.inputs, torch.Tensor)
    inputs = features.inputs.clone()
    inputs[torch.cat([features.split.test_seen, features.split.test_unseen])] += 100
    other = fit(replace(features, inputs=inputs), training=QUICK, progress=False).model
    assert other.temperature == fitted.temperature
    torch.testing.assert_close(other.examine(foreign()), fitted.examine(foreign()), rtol=0, atol=0)


@pytest.mark.parametrize("few", [1, 6])
def test_gamma_keeps_a_share_of_seen_images_where_validation_classes_are_few(
    features: Benchmark, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(rezsl.training.callbacks, "FEW_CLASSES", few)
    result = fit(features, training=QUICK, progress=False)
    model, index = result.model, features.split.trainval
    if few == 1:
        assert model.gamma == result.choice.gamma
        return
    scores = model.class_scores(model.examine(features.inputs, index=index)[0], model.class_vectors(model.semantics))
    names = features.semantics.classes
    seen = [column for column, name in enumerate(names) if name in model.seen_classes]
    new = [column for column, name in enumerate(names) if name not in model.seen_classes]

    def kept(gamma: float) -> float:
        """The mean over classes of the share of images that are right among all classes, in loops."""
        shares: list[float] = []
        for label in seen:
            rows = [
                row for row, own in zip(scores.tolist(), features.labels[index].tolist(), strict=True) if own == label
            ]
            right = [
                max(seen, key=row.__getitem__) == label and row[label] - gamma > max(row[column] for column in new)
                for row in rows
            ]
            shares.append(sum(right) / len(right))
        return sum(shares) / len(shares)

    assert kept(model.gamma - 1e-6) >= KEPT * kept(-1e9) > kept(model.gamma + 1e-6)


def test_probabilities_are_those_of_the_temperature(features: Benchmark, fitted: ZeroShotClassifier) -> None:
    scores = fitted.scores(fitted.predict_semantics(features.inputs[:4]))
    expected = (scores / fitted.temperature).softmax(dim=1).amax(dim=1)
    found = [answer[0].probability for answer in fitted.classify(features.inputs[:4])]
    assert found == pytest.approx(expected.tolist())


def test_the_limit_keeps_the_share_of_right_answers_over_all_folds(generator: torch.Generator) -> None:
    folds = []
    for seen in (3, 2):
        kinds = []
        for labels in (
            torch.randint(seen, (200,), generator=generator),
            torch.randint(seen, 6, (30,), generator=generator),
        ):
            scores = torch.randn(len(labels), 6, generator=generator) + 2 * torch.nn.functional.one_hot(labels, 6)
            kinds.append(
                ValidatedKind(scores, labels, scores.amax(dim=1), torch.rand(len(labels), generator=generator))
            )
        folds.append(Validated(kinds[0], kinds[1], seen))
    _, *limit = calibrate(folds, 0.3)
    kept: list[list[bool]] = [[], []]
    for fold in folds:
        for side, kind in enumerate((fold.seen, fold.unseen)):
            own = range(fold.seen_classes) if side == 0 else range(fold.seen_classes, 6)
            for scores, label, highest, distance in zip(*(part.tolist() for part in kind), strict=True):
                if max(own, key=lambda column: scores[column]) == label:
                    kept[side].append(limit[0] * distance - limit[1] * highest <= limit[2] + 1e-5)
    shares = [sum(side) / len(side) for side in kept]
    assert sum(shares) / 2 == pytest.approx(KEPT_SHARE, abs=0.02)
    assert len(kept[1]) < 60


def test_an_input_that_fits_another_candidate_is_less_strange(features: Benchmark, fitted: ZeroShotClassifier) -> None:
    inputs = foreign(5)
    predictions, before = fitted.examine(inputs)
    own = features.semantics
    # A class for each input, whose attributes are the predicted ones; the columns are in another order.
    order = list(reversed(range(len(own.attributes))))
    fitting = ClassSemantics(
        tuple(f"new {row}" for row in range(5)),
        tuple(own.attributes[column] for column in order),
        predictions[:, order],
    )
    classify = {
        "own": fitted.classify(inputs),
        "fitting": fitted.classify(inputs, fitting),
        "fewer": fitted.classify(inputs, replace(own, classes=own.classes[:2], values=own.values[:2])),
    }
    found = {name: torch.tensor([answer.strangeness for answer in answers]) for name, answers in classify.items()}
    torch.testing.assert_close(found["own"], before)
    torch.testing.assert_close(found["fewer"], before)
    assert fitted.familiarity is not None
    weight = fitted.familiarity.get_buffer("limit")[1]
    gain = fitted.scale - fitted.highest_scores(predictions)
    torch.testing.assert_close(found["fitting"], before - weight * gain, rtol=1e-4, atol=1e-4)
    assert bool((found["fitting"] < before).all())


def test_gamma_counts_in_the_temperature() -> None:
    # Three quarters of the images are of the unseen class, the last column.
    scores, labels, zeros = torch.zeros(4, 2), torch.tensor([1, 1, 1, 0]), torch.zeros(4)
    kind = ValidatedKind(scores, labels, zeros, zeros)
    # With γ, the unseen class leads by γ, and its probability is 3/4 where γ / T = ln 3.
    assert calibrate([Validated(kind, kind, 1)], 2.0).temperature == pytest.approx(2.0 / math.log(3), rel=1e-4)


def test_without_a_limit_nothing_is_refused(features: Benchmark, semantics: ClassSemantics) -> None:
    model = ZeroShotClassifier(FeatureScaler(8), LinearRegressor(8, semantics), semantics, list("abcd"))
    (answer,) = model.classify(foreign(1))
    assert (answer.far, answer.strangeness != answer.strangeness) == (False, True)
    with pytest.raises(ArgumentError, match="model: expected one that can refuse inputs, got one that accepts all"):
        evaluate(model, features, foreign=foreign(1))


def test_features_are_those_before_scaling() -> None:
    scaler = FeatureScaler.from_features(torch.randn(30, 4) * 3 + 2)
    inputs = torch.randn(5, 7, 4)
    regions, features = scaler.describe(inputs)
    torch.testing.assert_close(regions, scaler(inputs))
    torch.testing.assert_close(features, inputs.mean(dim=1), rtol=1e-4, atol=1e-5)


def test_a_small_network_is_described_by_all_of_its_stages() -> None:
    backbone = small_resnet(channels=3, natural_size=16, width=4).eval()
    images = torch.randint(256, (2, 3, 16, 16), dtype=torch.uint8)
    with torch.no_grad():
        regions, features = backbone.describe(images)
        torch.testing.assert_close(regions, backbone(images))
    widths = [int(size) for size in (backbone.config.embedding_size, *backbone.config.hidden_sizes)]
    parts = features.split(widths, dim=1)
    for part in parts:
        torch.testing.assert_close(part.norm(dim=1), torch.ones(2))
    torch.testing.assert_close(parts[-1], l2_normalize(regions.mean(dim=1)))
    scaler = FeatureScaler(backbone.region_dim)
    joined = ScaledImageBackbone.join(backbone, scaler, "float16").eval()
    with torch.no_grad():
        regions, features = joined.describe(images)
    torch.testing.assert_close(features, regions.mean(dim=1))
