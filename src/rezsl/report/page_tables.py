"""The tables of a page: cells as text, ready for the template."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rezsl.evaluation import Analysis, AnalysisComparison, PairedDifference
from rezsl.report.findings import signed
from rezsl.report.reported_run import ReportedRun

MATRIX_CLASSES = 30
"""Up to so many unseen classes the confusions are a matrix; beyond, the worst pairs are listed."""

PAIRS = 20

HEADLINES = {
    "T1": ("T1", 100.0, "%"), "U": ("U", 100.0, "%"), "S": ("S", 100.0, "%"), "H": ("H", 100.0, "%"),
    "AUSUC": ("AUSUC", 100.0, "%"), "H_oracle": ("H_oracle", 100.0, "%"), "error_mean": ("error", 1000.0, "×10⁻³"),
    "error_spread": ("spread", 1000.0, "×10⁻³"), "ece_generalized": ("ECE", 100.0, "%"),
}  # fmt: skip

QUANTITIES = {
    "semantic_error": ("error of a semantic", 1000.0, "×10⁻³"),
    "class_error": ("error of a class", 1000.0, "×10⁻³"),
    "class_accuracy": ("accuracy of a class", 100.0, "points"),
    "unseen_class_accuracy": ("accuracy of an unseen class, unseen only", 100.0, "points"),
    "correlation_over_classes": ("correlation over classes", 1.0, ""),
    "absolute_correlation_over_classes": ("|correlation| over classes", 1.0, ""),
    "correlation_over_semantics": ("correlation over semantics", 1.0, ""),
    "absolute_correlation_over_semantics": ("|correlation| over semantics", 1.0, ""),
}


@dataclass(frozen=True)
class Confusion:
    """Shares of the images of each unseen class that were taken for each unseen class, in ``[0, 1]``."""

    names: tuple[str, ...]
    shares: list[list[float]]


def headlines(runs: Mapping[str, ReportedRun]) -> tuple[list[tuple[str, str]], list[tuple[str, list[str]]]]:
    """Titles with units, and a row of figures per run."""
    rows = []
    for name, run in runs.items():
        figures = run.analysis.metrics()
        cells = [_number(factor * figures[key], 1) for key, (_, factor, _) in HEADLINES.items()]
        rows.append((f"{name} (oracle protocol)" if run.protocol == "oracle" else name, cells))
    return [(title, unit) for title, _, unit in HEADLINES.values()], rows


def differences(comparison: AnalysisComparison) -> list[dict[str, str]]:
    """A row per quantity and pair of models."""
    return [_difference(one) for one in comparison.differences if not math.isnan(one.mean)]


def _difference(one: PairedDifference) -> dict[str, str]:
    title, factor, unit = QUANTITIES.get(one.quantity, (one.quantity.replace("_", " "), 1.0, ""))
    digits = 1 if factor > 1 else 2
    mean, low, high = (signed(factor * value, digits) for value in (one.mean, one.low, one.high))
    return {
        "quantity": f"{title} ({unit})" if unit else title,
        "pair": f"{one.second} less {one.first}",
        "mean": mean,
        "interval": f"{low} to {high}",
        "p": "–"
        if math.isnan(one.p_value_holm)
        else "<0.001"
        if one.p_value_holm < 0.001
        else f"{one.p_value_holm:.3f}",
        "count": f"{len(one.names)} {one.paired_by}",
        "lower": f"{100 * one.lower_share:.0f} %",
    }


def confusion(analysis: Analysis) -> Confusion | None:
    """The confusions among unseen classes; None if there are fewer than two or too many of them."""
    known = analysis.conventional
    if known is None or not 1 < len(known.candidates) <= MATRIX_CLASSES:
        return None
    return Confusion(known.candidates, known.confusion_rates.nan_to_num().tolist())


def confused_pairs(analysis: Analysis) -> list[dict[str, str]]:
    """The pairs that are confused most, among all classes."""
    return [
        {"truth": pair.truth, "chosen": pair.chosen, "samples": str(pair.samples), "share": f"{100 * pair.share:.1f}"}
        for pair in analysis.generalized.most_confused(PAIRS)
    ]


def semantics(analysis: Analysis) -> list[list[str]]:
    """Name, mean value, error, spread over classes, correlation and its interval of every semantic, the worst first."""
    profile, correlation = analysis.semantic_errors, analysis.correlation_over_classes.pearson
    values = analysis.class_semantics.mean(dim=0)
    rows = []
    for row in profile.worst(len(analysis.attributes)).tolist():
        low, high = float(correlation.low[row]), float(correlation.high[row])
        rows.append([
            analysis.attributes[row], _number(float(values[row]), 3), _number(1000 * float(profile.mean[row]), 2),
            _number(1000 * float(profile.spread[row]), 2), _number(float(correlation.value[row]), 2),
            "–" if math.isnan(low) else f"{signed(low)} to {signed(high)}",
        ])  # fmt: skip
    return rows


def classes(analysis: Analysis) -> list[list[str]]:
    """Name, side, images, accuracy among all classes and error of every class, the worst recognised first."""
    known = analysis.generalized
    accuracy = dict(zip(known.candidates, known.class_accuracy.tolist(), strict=True))
    order = sorted(range(len(analysis.classes)), key=lambda row: accuracy[analysis.classes[row]])
    return [
        [
            analysis.classes[row], "seen" if analysis.is_seen[row] else "unseen", str(int(analysis.class_count[row])),
            _number(100 * accuracy[analysis.classes[row]], 1),
            _number(1000 * float(analysis.class_errors.mean[row]), 2),
        ]
        for row in order
    ]  # fmt: skip


def flattened(record: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """A nested record as lines: dotted names and values."""
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


def _number(value: float, digits: int) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"
