"""The tables of a page, with cells as text, and the error matrices as data for its script."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from rezsl.evaluation import Analysis, AnalysisComparison, PairedDifference
from rezsl.files import flat
from rezsl.report._text import number, p_value, signed

MATRIX_CLASSES = 30
"""The most unseen classes for which the page has a confusion matrix besides the list of the worst pairs."""

PAIRS = 20

DIGITS = 3
"""Significant digits of a cell of an error matrix: more than a colour shows, and a third of the size of a float."""

QUANTITIES = {
    "attribute_error": ("error of an attribute", 1000.0, "×10⁻³"),
    "class_error": ("error of a class", 1000.0, "×10⁻³"),
    "class_accuracy": ("accuracy of a class", 100.0, "points"),
    "unseen_class_accuracy": ("accuracy of an unseen class, unseen only", 100.0, "points"),
    "correlation_over_classes": ("correlation over classes", 1.0, ""),
    "absolute_correlation_over_classes": ("|correlation| over classes", 1.0, ""),
    "correlation_over_attributes": ("correlation over attributes", 1.0, ""),
    "absolute_correlation_over_attributes": ("|correlation| over attributes", 1.0, ""),
}


def differences(comparison: AnalysisComparison) -> list[dict[str, str]]:
    """Return a row per quantity and pair of models."""
    return [_difference(one) for one in comparison.differences if not math.isnan(one.mean)]


def _difference(one: PairedDifference) -> dict[str, str]:
    title, factor, unit = QUANTITIES.get(one.quantity, (one.quantity.replace("_", " "), 1.0, ""))
    digits = 1 if factor > 1 else 2
    mean, low, high = (signed(factor * value, digits) for value in (one.mean, one.low, one.high))
    return {
        "quantity": f"{title} ({unit})" if unit else title,
        "pair": f"{one.second} minus {one.first}",
        "mean": mean,
        "interval": f"{low} to {high}",
        "p": p_value(one.p_value_holm),
        "count": f"{len(one.names)} {one.paired_by}",
        "lower": f"{100 * one.lower_share:.0f} %",
    }


def attributes(analysis: Analysis) -> list[list[str]]:
    """Return name, mean value, error, its spread over classes, correlation and its interval of every attribute."""
    profile, correlation = analysis.attribute_errors, analysis.correlation_over_classes.pearson
    values = analysis.class_semantics.mean(dim=0)
    rows = []
    for row in profile.worst(len(analysis.attributes)).tolist():
        low, high = float(correlation.low[row]), float(correlation.high[row])
        rows.append([
            analysis.attributes[row], number(float(values[row]), 3), number(1000 * float(profile.mean[row]), 2),
            number(1000 * float(profile.spread[row]), 2), number(float(correlation.value[row]), 2),
            "–" if math.isnan(low) else f"{signed(low)} to {signed(high)}",
        ])  # fmt: skip
    return rows


def classes(analysis: Analysis) -> list[list[str]]:
    """Return name, side, images, accuracy among all classes and error of every class, the lowest accuracy first."""
    accuracy = analysis.generalized.accuracy_of
    columns = (analysis.classes, analysis.is_seen, analysis.class_count.tolist(), analysis.class_errors.mean.tolist())
    rows = sorted(zip(*columns, strict=True), key=lambda row: accuracy[row[0]])
    return [
        [name, "seen" if seen else "unseen", str(count), number(100 * accuracy[name], 1), number(1000 * error, 2)]
        for name, seen, count, error in rows
    ]


def flattened(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return a nested record as lines of dotted names and values."""
    return [(name, _text(value)) for name, value in flat(record).items()]


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def matrices(analyses: Iterable[Analysis]) -> list[dict[str, Any]]:
    """Return names, errors and values (both ×10³) of every run; a number in place of values names an equal run."""
    found: list[dict[str, Any]] = []
    for analysis in analyses:
        accuracy = analysis.generalized.accuracy_of
        values = _thousandths(analysis.class_semantics)
        same = next((place for place, earlier in enumerate(found) if earlier["values"] == values), None)
        found.append({
            "classes": list(analysis.classes),
            "attributes": list(analysis.attributes),
            "seen": list(analysis.is_seen),
            "accuracy": [_json_number(100 * accuracy[name]) for name in analysis.classes],
            "errors": _thousandths(analysis.error_matrix),
            "values": values if same is None else same,
        })  # fmt: skip
    return found


def _thousandths(matrix: Tensor) -> list[list[float | int | None]]:
    return [[_json_number(1000 * value) for value in row] for row in matrix.tolist()]


def _json_number(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    rounded = float(f"{value:.{DIGITS}g}")
    return int(rounded) if rounded == int(rounded) else rounded
