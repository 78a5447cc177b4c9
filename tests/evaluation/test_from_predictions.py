import json
import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.utils._python_dispatch import TorchDispatchMode

from rezsl.errors import ArgumentError, DataError
from rezsl.evaluation import Analysis, AnalysisOptions, analyse, analyse_error_fall
from rezsl.functional import statistics
from rezsl.semantics import ClassSemantics
from tests.evaluation.conftest import QUICK, Case
from tests.oracles import analysis_errors, analysis_recognition, curve, imbalance, remse, scoring

Floats = NDArray[np.float64]
PRESENT = [0, 1, 2, 3, 4, 5, 6, 8, 9, 10]


class BothWays(NamedTuple):
    """An analysis, and what an oracle needs for the same."""

    found: Analysis
    predictions: Floats
    table: Floats
    labels: NDArray[np.int64]
    scores: Floats


def analysed_both_ways(case: Case, foreign_scores: bool) -> BothWays:
    table, predictions = (tensor.double().numpy() for tensor in (case.semantics.values, case.predictions))
    labels = case.labels.numpy()
    scores = scoring.cosine_scores(predictions, table, 15.0)
    given = None
    if foreign_scores:
        scores = -((predictions[:, None] - table) ** 2).sum(axis=2)
        given = torch.from_numpy(scores)
    found = analyse(
        case.predictions, case.labels, case.semantics, case.seen, gamma=0.4, scale=15.0, scores=given, options=QUICK
    )
    return BothWays(found, predictions, table, labels, scores)


def test_every_error_figure_matches_the_oracles(case: Case) -> None:
    found, predictions, table, labels, _ = analysed_both_ways(case, foreign_scores=False)

    assert found.classes == tuple(f"c{number}" for number in PRESENT)
    assert found.is_seen == (True,) * 7 + (False,) * 3
    assert found.class_count.tolist() == [13] * 10
    directions = remse.normalize_rows(table)
    matrix, _ = remse.class_error_matrix((remse.normalize_rows(predictions) - directions[labels]) ** 2, labels)
    np.testing.assert_allclose(found.error_matrix, matrix, rtol=1e-9)
    np.testing.assert_allclose(found.class_semantics, directions[PRESENT], rtol=1e-9)
    np.testing.assert_allclose(found.attribute_errors.mean, matrix.mean(axis=0))
    np.testing.assert_allclose(found.class_errors.mean, matrix.mean(axis=1))
    np.testing.assert_allclose(found.class_errors.gini, [analysis_errors.gini(row) for row in matrix])
    values = directions[PRESENT]
    over_classes, over_semantics = found.correlation_over_classes, found.correlation_over_attributes
    np.testing.assert_allclose(over_classes.pearson.value, imbalance.correlation_per_semantic(matrix, values))
    np.testing.assert_allclose(over_semantics.pearson.value, imbalance.correlation_per_class(matrix, values))
    for kind, left, right in ((over_classes, values.T, matrix.T), (over_semantics, values, matrix)):
        ranked = [analysis_errors.spearman(*pair) for pair in zip(left, right, strict=True)]
        np.testing.assert_allclose(kind.spearman.value, ranked, atol=1e-9)
        assert bool((kind.spearman.low <= kind.spearman.high).all())
    edges = np.linspace(values.min(), values.max(), 5)
    bins = analysis_errors.value_bins(matrix, values, edges, np.ones((1, 10)))
    np.testing.assert_allclose(found.error_by_value.mean, [one.mean for one in bins])
    worst = sorted(zip("uvwxyz", matrix.mean(axis=0), strict=True), key=lambda pair: -pair[1])[:3]
    assert [name for name, _ in found.worst_attributes] == [name for name, _ in worst]
    assert [error for _, error in found.worst_attributes] == pytest.approx([error for _, error in worst])


@pytest.mark.parametrize("foreign_scores", [False, True])
def test_who_is_taken_for_whom_matches_the_oracles(case: Case, foreign_scores: bool) -> None:
    found, predictions, table, labels, scores = analysed_both_ways(case, foreign_scores)

    assert found.scale == (None if foreign_scores else 15.0)
    is_seen = np.arange(12) < 8
    of_seen = labels < 8
    sides = (scores[of_seen], labels[of_seen], scores[~of_seen], labels[~of_seen], is_seen)
    assert found.point == pytest.approx((0.4, *curve.accuracies_at(0.4, *sides)))
    points = curve.exact_curve(*sides).points
    assert found.curve.ausuc == pytest.approx(curve.area(points))
    assert found.oracle.harmonic_mean == pytest.approx(curve.best_harmonic_mean(points))
    for recognition, rows, columns, gamma in (
        (found.generalized, np.arange(130), np.arange(12), 0.4),
        (found.conventional, np.flatnonzero(~of_seen), np.arange(8, 12), 0.0),
    ):
        assert recognition is not None
        assert recognition.candidates == tuple(f"c{column}" for column in columns)
        assert recognition.sample.tolist() == rows.tolist()
        truth, part = labels[rows] - columns[0], scores[np.ix_(rows, columns)]
        choices = [analysis_recognition.choose(row, is_seen[columns], gamma) for row in part]
        chosen = np.array([choice.column for choice in choices])
        np.testing.assert_array_equal(recognition.chosen, chosen)
        accuracies = scoring.class_accuracies(chosen, truth)
        expected = [accuracies.get(column, math.nan) for column in range(len(columns))]
        np.testing.assert_allclose(recognition.class_accuracy, expected)
        assert recognition.accuracy == pytest.approx(scoring.mean_class_accuracy(chosen, truth))
        counts = analysis_recognition.confusion(truth, chosen, len(columns))
        np.testing.assert_array_equal(recognition.confusion, counts)
        mistakes = analysis_recognition.mistakes(predictions[rows], table[columns], truth, chosen)
        assert recognition.mistakes.position.tolist() == [mistake.position for mistake in mistakes]
        assert recognition.mistakes.neighbour_rank.tolist() == [mistake.neighbour_rank for mistake in mistakes]
        calibrated = part - gamma * is_seen[columns]
        occurrence = analysis_recognition.occurrence(calibrated, 2)
        np.testing.assert_array_equal(recognition.hubness.occurrence, occurrence)
        confidence = np.array([choice.confidence for choice in choices])
        of_bins = analysis_recognition.reliability(confidence, chosen == truth, np.linspace(0, 1, 6))
        ece = analysis_recognition.expected_calibration_error(of_bins)
        assert recognition.reliability.ece == pytest.approx(ece, abs=1e-5)
        pairs = recognition.most_confused(3)
        rates = [counts[t, c] / counts[t].sum() for t, c in np.ndindex(*counts.shape) if t != c and counts[t].any()]
        assert [pair.share for pair in pairs] == pytest.approx(sorted((r for r in rates if r), reverse=True)[:3])
        for pair in pairs:
            row, column = (recognition.candidates.index(name) for name in (pair.truth, pair.chosen))
            assert pair.samples == counts[row, column]
    assert found.t1 == found.conventional.accuracy  # type: ignore[union-attr]


def test_order_of_classes_and_semantics_does_not_matter(case: Case) -> None:
    rows, columns = (torch.randperm(count, generator=torch.Generator().manual_seed(0)) for count in (12, 6))
    table = case.semantics
    shuffled = ClassSemantics(
        tuple(table.classes[row] for row in rows.tolist()),
        tuple(table.attributes[column] for column in columns.tolist()),
        table.values[rows][:, columns],
    )
    first = analyse(case.predictions, case.labels, table, case.seen, 0.4, options=QUICK)
    labels = rows.argsort()[case.labels]
    second = analyse(case.predictions[:, columns], labels, shuffled, case.seen, 0.4, options=QUICK)
    assert second.metrics() == pytest.approx(first.metrics(), rel=1e-5, nan_ok=True)
    assert [name for name, _ in second.worst_classes] == [name for name, _ in first.worst_classes]


def test_json_holds_every_field(case: Case) -> None:
    found = analyse(case.predictions, case.labels, case.semantics, case.seen, options=QUICK)
    content = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert content["metrics"]["T1"] == found.t1
    assert content["curve"]["gamma"][0] is None  # −∞
    assert content["point"].keys() == {"gamma", "seen", "unseen"}
    assert content["generalized"]["class_accuracy"][7] is None
    assert content["attribute_errors"]["quantiles"] == found.attribute_errors.quantiles.tolist()
    assert content["options"]["resamples"] == 50
    assert content["error_fall"] is None


def hard_cases() -> dict[str, tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Predictions, labels and table; class 0 is seen, the others are not."""
    generator = torch.Generator().manual_seed(0)
    table, noise = torch.rand(4, 5, generator=generator) + 0.1, torch.rand(8, 5, generator=generator)
    labels = torch.tensor([0, 1, 2, 3, 0, 1, 2, 3])
    return {
        "one sample": (noise[:1], labels[1:2], table),
        "one class, seen": (noise, torch.zeros(8, dtype=torch.int64), table),
        "one class, unseen": (noise, torch.full((8,), 2), table),
        "only unseen classes": (noise, labels.clamp(min=1), table),
        "one class in the table": (noise, torch.zeros(8, dtype=torch.int64), table[:1]),
        "one semantic": (noise[:, :1], labels, table[:, :1]),
        "no error": (table[labels], labels, table),
        "nothing predicted": (torch.zeros(8, 5), labels, table),
        "constant semantics": (noise, labels, torch.full((4, 5), 0.3)),
        "huge predictions": (1e30 * noise, labels, table),
        "short labels": (noise, labels.short(), table),
        "float64": (noise.double(), labels, table),
        "float16": (noise.half(), labels, table),
    }


@pytest.mark.parametrize("name", hard_cases())
def test_hard_cases_have_figures_or_say_that_there_are_none(name: str) -> None:
    predictions, labels, table = hard_cases()[name]
    names = tuple("abcd")[: len(table)]
    semantics = ClassSemantics(names, tuple("vwxyz")[: table.shape[1]], table)
    found = analyse(predictions, labels, semantics, ["a"], options=QUICK)
    json.dumps(found.to_dict(), allow_nan=False)
    figures = found.metrics()
    for figure in ("error_mean", "error_spread", "error_gini", "error_worst", "ece_generalized"):
        assert 0 <= figures[figure] <= 1
    one_sided = len({number == 0 for number in labels.tolist()}) == 1
    assert math.isnan(figures["H"]) == one_sided
    assert math.isnan(figures["T1"]) == bool((labels == 0).all())
    assert found.generalized.confusion.sum().item() == len(labels)
    if name == "no error":
        assert figures["error_mean"] == 0
        assert (figures["S"], figures["U"], figures["T1"]) == (1, 1, 1)
        assert math.isnan(figures["nearest_share_generalized"])
        assert math.isnan(figures["error_correlation_over_classes"])
        assert found.generalized.most_confused(5) == []
    if name == "constant semantics":
        assert math.isnan(figures["error_correlation_over_classes"])
        assert found.error_by_value.count.tolist() == [20]


def test_half_the_coverage_is_a_narrower_interval(case: Case) -> None:
    wide, narrow = (
        analyse(
            case.predictions,
            case.labels,
            case.semantics,
            case.seen,
            options=AnalysisOptions(resamples=200, level=level),
        ).correlation_over_classes.spearman
        for level in (0.95, 0.5)
    )
    assert bool((narrow.high - narrow.low < wide.high - wide.low).all())
    assert torch.equal(narrow.value, wide.value)


def test_errors_that_fall_with_the_semantic_value(case: Case) -> None:
    found = analyse(case.predictions, case.labels, case.semantics, case.seen, options=QUICK)
    values, epochs = found.class_semantics, [1.0, 3.0, 10.0]
    matrices = torch.stack([0.1 * (-0.2 * (1 - values) * epoch).exp() for epoch in epochs])
    fall = analyse_error_fall(matrices, values, epochs, QUICK)
    torch.testing.assert_close(fall.rate, 0.2 * (1 - values))
    torch.testing.assert_close(fall.by_value.mean, 0.2 * (1 - fall.by_value.value))
    assert fall.correlation_over_classes.pearson.mean == pytest.approx(-1)
    assert fall.correlation_over_classes.spearman.mean_high == pytest.approx(-1)
    assert fall.mean_error.tolist() == pytest.approx(matrices.mean(dim=(1, 2)).tolist())
    with_fall = found.with_error_fall(fall)
    assert with_fall.error_fall is fall
    assert json.dumps(with_fall.to_dict(), allow_nan=False)
    with pytest.raises(ArgumentError, match="fall: expected a rate per class and attribute, 10 × 6, got 9 × 6"):
        found.with_error_fall(analyse_error_fall(matrices[:, 1:], values[1:], options=QUICK))
    with pytest.raises(ArgumentError, match="epochs: expected one per error matrix, 3, got 2"):
        analyse_error_fall(matrices, values, [1.0, 2.0])


def test_errors_without_a_fall_are_left_out() -> None:
    fall = analyse_error_fall(torch.zeros(3, 2, 4), torch.rand(2, 4), options=QUICK)
    assert fall.epochs.tolist() == [1, 2, 3]
    assert bool(fall.rate.isnan().all())
    assert fall.by_value.count.sum().item() == 0


def test_matrices_of_other_classes(unchecked: None) -> None:
    with pytest.raises(
        ArgumentError, match="error_matrices: expected a cell per class and attribute, 3 × 4, got 2 × 4"
    ):
        analyse_error_fall(torch.rand(3, 2, 4), torch.rand(3, 4))


def test_unusable_input(case: Case, unchecked: None) -> None:
    def run(**changed: object) -> Analysis:
        given = {"predictions": case.predictions, "labels": case.labels, "seen_classes": case.seen}
        return analyse(semantics=case.semantics, **(given | changed))  # type: ignore[arg-type]

    broken = case.predictions.clone()
    broken[4, 2] = torch.nan
    scores = torch.rand(130, 11)
    for changed, message in (
        ({"predictions": case.predictions[:, :5]}, r"predictions: expected numbers \[130, 6\], .* shape \(130, 5\)"),
        ({"predictions": case.predictions.long()}, r"predictions: expected numbers .* got torch.int64"),
        ({"predictions": case.predictions[:0]}, "predictions: expected at least one sample, got none"),
        ({"predictions": broken}, "predictions: expected finite numbers, got NaN or infinity in row 4"),
        ({"labels": case.labels[:9]}, r"labels: expected a whole number per sample, 130, got .* shape \(9,\)"),
        ({"labels": case.labels.float()}, "labels: expected a whole number per sample, 130, got torch.float32"),
        ({"labels": case.labels + 2}, r"labels: expected class numbers in \[0, 12\), .* got 12"),
        ({"labels": case.labels - 1}, r"labels: expected class numbers in \[0, 12\), .* got -1"),
        ({"seen_classes": ["c0", "owl"]}, "classes: expected rows for 'owl', got none; add a row for each"),
        ({"scores": scores}, r"scores: expected numbers \[130, 12\], .* a column per class .* shape \(130, 11\)"),
    ):
        with pytest.raises(DataError, match=message):
            run(**changed)
    with pytest.raises(ArgumentError, match="gamma: expected a finite number, got nan"):
        run(gamma=math.nan)
    with pytest.raises(ArgumentError, match=r"scale: expected a positive number, got 0\.0"):
        run(scale=0.0)
    for option, message in (
        ({"resamples": 0}, "resamples: expected at least 1, got 0"),
        ({"value_bins": 0}, "value_bins: expected at least 1, got 0"),
        ({"level": 95.0}, r"level: expected a number between 0 and 1, got 95\.0"),
        ({"confidence_binning": "even"}, "confidence_binning: expected one of equal_width, equal_count, got 'even'"),
    ):
        with pytest.raises(ArgumentError, match=message):
            replace(QUICK, **option)


class LargestTensor(TorchDispatchMode):
    """Remembers how many numbers the largest result of any operation held."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else (result,):
            # Copying a metric's empty state makes a tensor of raw bytes, which holds no numbers.
            if isinstance(tensor, torch.Tensor) and tensor.dtype != torch.uint8:
                self.numbers = max(self.numbers, tensor.numel())
        return result


def test_no_tensor_holds_a_number_per_sample_class_and_semantic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "_RANKS", 1)  # else short columns are ranked several at a time
    generator = torch.Generator().manual_seed(0)
    table = torch.rand(40, 50, generator=generator)
    semantics = ClassSemantics(tuple(map(str, range(40))), tuple(map(str, range(50))), table)
    labels = torch.randint(40, (300,), generator=generator)
    predictions = torch.rand(300, 50, generator=generator)
    with LargestTensor() as largest:
        analyse(predictions, labels, semantics, semantics.classes[:30], options=QUICK)
    assert largest.numbers == 300 * 50
