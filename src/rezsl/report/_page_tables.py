"""The tables of a page, with cells as text, and the error matrices as data for its script."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from rezsl.evaluation import Analysis, AnalysisComparison, PairedDifference
from rezsl.metrics import Metric, metrics_in
from rezsl.report._run import ReportedRun
from rezsl.report._text import named_with_protocol, number, p_value, signed

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


@dataclass(frozen=True)
class Confusion:
    """Shares of the images of each unseen class that are recognised as each unseen class, in ``[0, 1]``."""

    names: tuple[str, ...]
    shares: list[list[float]]


def headlines(runs: Mapping[str, ReportedRun]) -> tuple[tuple[Metric, ...], list[tuple[str, list[str]]]]:
    """Return the metrics of the columns, and a row of their values per run."""
    metrics, rows = metrics_in("page"), []
    for name, run in runs.items():
        values = run.analysis.metrics()
        cells = [metric.show(values[metric.name]) for metric in metrics]
        rows.append((named_with_protocol(name, run.analysis.protocol), cells))
    return metrics, rows


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


def confusion(analysis: Analysis) -> Confusion | None:
    """Return the confusions among unseen classes; None if there are fewer than two or too many of them."""
    known = analysis.conventional
    if known is None or not 1 < len(known.candidates) <= MATRIX_CLASSES:
        return None
    return Confusion(known.candidates, known.confusion_rates.nan_to_num().tolist())


def confused_pairs(analysis: Analysis) -> list[dict[str, str]]:
    """Return the pairs that are confused most, among all classes."""
    return [
        {"truth": pair.truth, "chosen": pair.chosen, "samples": str(pair.samples), "share": f"{100 * pair.share:.1f}"}
        for pair in analysis.generalized.most_confused(PAIRS)
    ]


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
    known = analysis.generalized
    accuracy = dict(zip(known.candidates, known.class_accuracy.tolist(), strict=True))
    order = sorted(range(len(analysis.classes)), key=lambda row: accuracy[analysis.classes[row]])
    return [
        [
            analysis.classes[row], "seen" if analysis.is_seen[row] else "unseen", str(int(analysis.class_count[row])),
            number(100 * accuracy[analysis.classes[row]], 1),
            number(1000 * float(analysis.class_errors.mean[row]), 2),
        ]
        for row in order
    ]  # fmt: skip


def flattened(record: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return a nested record as lines of dotted names and values."""
    lines: list[tuple[str, str]] = []
    for name, value in record.items():
        if isinstance(value, Mapping) and value:
            lines += flattened(value, f"{prefix}{name}.")
        else:
            shown = (
                ", ".join(map(str, value))
                if isinstance(value, list)
                else f"{value:.6g}"
                if isinstance(value, float)
                else str(value)
            )
            lines.append((prefix + str(name), shown))
    return lines


def matrices(runs: Mapping[str, ReportedRun]) -> list[dict[str, Any]]:
    """Return names, errors and values (both ×10³) of every run; a number in place of values names an equal run."""
    found: list[dict[str, Any]] = []
    for place, run in enumerate(runs.values()):
        analysis = run.analysis
        accuracy = dict(zip(analysis.generalized.candidates, analysis.generalized.class_accuracy.tolist(), strict=True))
        values = _thousandths(analysis.class_semantics)
        same = next((earlier for earlier in range(place) if found[earlier]["values"] == values), None)
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
