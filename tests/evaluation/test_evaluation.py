import contextlib
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from rezsl.classifier import ZeroShotClassifier
from rezsl.data import Benchmark
from rezsl.errors import DataError
from rezsl.evaluation import evaluate
from rezsl.models import LinearRegressor
from rezsl.regions import FeatureScaler
from rezsl.semantics import ClassSemantics
from tests.oracles import curve, imbalance, remse, scoring


@pytest.fixture
def model(features: Benchmark) -> ZeroShotClassifier:
    assert isinstance(features.inputs, torch.Tensor)
    torch.manual_seed(0)
    network = LinearRegressor(8, features.semantics)
    solution = torch.linalg.lstsq(features.inputs[:60], features.semantics.values[features.labels[:60]]).solution
    with torch.no_grad():
        network.readout.weight.copy_(solution.T + 0.05 * torch.randn(4, 8))
        network.readout.bias.zero_()
    scaler = FeatureScaler(8)
    return ZeroShotClassifier(scaler, network, features.semantics, features.seen_classes, gamma=0.3)


def test_every_figure_matches_the_oracles(model: ZeroShotClassifier, features: Benchmark) -> None:
    assert isinstance(features.inputs, torch.Tensor)
    result = evaluate(model, features, batch_size=11)
    table = features.semantics.values.double().numpy()
    with torch.no_grad():
        predictions = model(features.inputs).double().numpy()
    scores = scoring.cosine_scores(predictions, table, 20.0)
    seen, unseen = features.split.test_seen.numpy(), features.split.test_unseen.numpy()
    labels = features.labels.numpy()
    is_seen = np.array([True] * 4 + [False] * 2)
    sides = (scores[seen], labels[seen], scores[unseen], labels[unseen], is_seen)

    assert result.t1 == pytest.approx(
        scoring.mean_class_accuracy(4 + scores[unseen][:, 4:].argmax(axis=1), labels[unseen])
    )
    expected = curve.accuracies_at(0.3, *sides)
    assert result.point == pytest.approx((0.3, expected.seen, expected.unseen))
    points = curve.exact_curve(*sides).points
    assert result.ausuc == pytest.approx(curve.area(points))
    assert result.oracle.harmonic_mean == pytest.approx(curve.best_harmonic_mean(points))

    test = np.concatenate([seen, unseen])
    directions = remse.normalize_rows(table)
    errors = (remse.normalize_rows(predictions[test]) - directions[labels[test]]) ** 2
    matrix, _ = remse.class_error_matrix(errors, labels[test])
    np.testing.assert_allclose(result.error_matrix.numpy(), matrix, rtol=1e-4)
    mean, spread = imbalance.semantic_error_mean_and_deviation(matrix)
    correlation = imbalance.mean_of_defined(imbalance.correlation_per_semantic(matrix, directions))
    assert result.imbalance.mean_of_means == pytest.approx(mean, rel=1e-4)
    assert result.imbalance.spread_of_means == pytest.approx(spread, rel=1e-4)
    assert result.imbalance.class_correlation == pytest.approx(correlation, rel=1e-3)
    assert np.mean([result.class_accuracy[row].item() for row in range(4)]) == pytest.approx(result.point.seen)
    assert np.mean(list(result.unseen_class_accuracy.values())) == pytest.approx(result.t1)


def test_json_holds_every_figure(model: ZeroShotClassifier, features: Benchmark) -> None:
    result = evaluate(model, features)
    content = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert content["T1"] == result.t1
    assert content["H_oracle"] == result.oracle.harmonic_mean
    assert content["class_accuracy"].keys() == set(features.semantics.classes)


def test_classes_and_columns_are_joined_by_name(model: ZeroShotClassifier, features: Benchmark) -> None:
    rows, columns = [5, 3, 0, 1, 4, 2], [3, 1, 0, 2]
    table = features.semantics
    shuffled = ClassSemantics(
        tuple(table.classes[row] for row in rows),
        tuple(table.attributes[column] for column in columns),
        table.values[rows][:, columns],
    )
    position = torch.tensor([rows.index(row) for row in range(6)])
    other = replace(features, labels=position[features.labels], semantics=shuffled)
    assert evaluate(model, other).metrics() == pytest.approx(evaluate(model, features).metrics(), rel=1e-5, nan_ok=True)


def test_a_class_that_was_trained_on_is_not_unseen(model: ZeroShotClassifier, features: Benchmark) -> None:
    leaky = ZeroShotClassifier(model.backbone, model.network, model.semantics, "abcde")
    with pytest.raises(DataError, match="the model was trained on 'e'; not unseen to it"):
        evaluate(leaky, features)


def test_a_seen_class_must_have_been_trained_on(model: ZeroShotClassifier, features: Benchmark) -> None:
    smaller = ZeroShotClassifier(model.backbone, model.network, model.semantics, "abc")
    with pytest.raises(DataError, match="the model was not trained on 'd'; not seen by it"):
        evaluate(smaller, features)


def test_nothing_to_test_on(model: ZeroShotClassifier, features: Benchmark) -> None:
    untested = replace(features, split=replace(features.split, test_unseen=torch.empty(0, dtype=torch.int64)))
    with pytest.raises(DataError, match=r"split\.test_unseen: expected images .* got none in toy; hold some out"):
        evaluate(model, untested)


UNKNOWN = ("false_reject_seen", "false_reject_unseen", "false_accept")
"""Metrics of a model that refuses no input."""


def test_without_images_of_seen_classes_t1_and_u_are_told(model: ZeroShotClassifier, features: Benchmark) -> None:
    whole = evaluate(model, features).metrics()
    untested = replace(features, split=replace(features.split, test_seen=torch.empty(0, dtype=torch.int64)))
    result = evaluate(model, untested)
    figures = result.metrics()
    assert (figures["T1"], figures["U"], figures["gamma"]) == (whole["T1"], whole["U"], 0.3)
    undefined = {"S", "H", "AUSUC", "H_oracle", "gamma_oracle", *UNKNOWN}
    assert {name for name, value in figures.items() if math.isnan(value)} == undefined
    content = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert {name for name, value in content.items() if value is None} == undefined | {"S_top5", "H_top5", "F1_seen"}
    assert set(result.classes) == {"e", "f"}
    assert math.isnan(result.harmonic_mean_error)
    assert not result.has_seen
    assert result.notes == ("there are no test images of seen classes, so S, H and AUSUC are not known",)


def test_a_single_unseen_class_is_pointed_out(model: ZeroShotClassifier, features: Benchmark) -> None:
    assert evaluate(model, features).notes == ()
    of_one = features.split.test_unseen[features.labels[features.split.test_unseen] == 4]
    result = evaluate(model, features, unseen_index=of_one)
    assert result.t1 == 1.0
    assert result.notes == ("there are test images of one unseen class, so T1 is 100 % by construction",)


def test_the_mode_is_left_alone_also_by_an_error(model: ZeroShotClassifier, features: Benchmark) -> None:
    for data, outcome in (
        (features, contextlib.nullcontext()),
        (replace(features, inputs=features.inputs[:, :5]), pytest.raises(DataError, match="8 dimensions, got 5")),  # type: ignore[call-overload]
    ):
        model.train()
        with outcome:
            evaluate(model, data)
        assert model.training


def test_standard_error_of_h_is_that_of_a_bootstrap_over_classes(
    model: ZeroShotClassifier, features: Benchmark
) -> None:
    result = evaluate(model, features)
    is_seen = np.array(result.is_seen)
    accuracy = result.class_accuracy.numpy()
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(20_000):
        # Normal draws with the standard error of each side's mean: what the first-order formula approximates.
        seen, unseen = (
            rng.normal(side.mean(), side.std(ddof=1) / len(side) ** 0.5)
            for side in (accuracy[is_seen], accuracy[~is_seen])
        )
        draws.append(2 * seen * unseen / (seen + unseen))
    assert result.harmonic_mean_error == pytest.approx(np.std(draws), rel=0.2)


def collapsed_to(benchmark: Benchmark, row: int, gamma: float = 0.0) -> ZeroShotClassifier:
    """A model that predicts the attributes of one class for every image."""
    network = LinearRegressor(8, benchmark.semantics)
    with torch.no_grad():
        network.readout.weight.zero_()
        network.readout.bias.copy_(benchmark.semantics.values[row])
    return ZeroShotClassifier(FeatureScaler(8), network, benchmark.semantics, benchmark.seen_classes, gamma=gamma)


def test_one_class_for_every_image_is_called_a_collapse(features: Benchmark, model: ZeroShotClassifier) -> None:
    result = evaluate(collapsed_to(features, row=4), features)
    only, balance = result.collapse
    assert only == "the model may have collapsed: of 2 unseen classes only 'e' is ever recognised"
    assert balance == "the model may have collapsed: H is 0, with S at 0.0 % and U at 50.0 %"
    assert result.to_dict()["collapse"] == [only, balance]
    assert set(result.collapse) <= set(result.notes)
    # A sound model, and one whose H is 0 because nothing at all is recognised, are told apart.
    assert evaluate(model, features).collapse == ()
    assert evaluate(model, features).to_dict()["collapse"] == []


def test_seen_classes_that_win_everywhere_are_called_a_collapse(features: Benchmark, model: ZeroShotClassifier) -> None:
    model.gamma = -100.0
    result = evaluate(model, features)
    (balance,) = result.collapse
    assert balance.startswith("the model may have collapsed: H is 0, with S at ")
    assert balance.endswith(" and U at 0.0 %")


def test_a_failed_training_is_among_the_signs_of_a_collapse(features: Benchmark, model: ZeroShotClassifier) -> None:
    model.network.failure = "a loss was not finite in epoch 3"
    assert evaluate(model, features).collapse == ("a loss was not finite in epoch 3",)
