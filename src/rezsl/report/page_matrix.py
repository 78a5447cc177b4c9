"""The error matrices as data for the page's script."""

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from rezsl.report.reported_run import ReportedRun

DIGITS = 3
"""Significant digits of a cell: more than a colour shows, and a third of the size of a float."""


def matrix_data(runs: Mapping[str, ReportedRun]) -> list[dict[str, Any]]:
    """Names, errors and values (both ×10³) of every run; a number for values names the run with the same ones."""
    found: list[dict[str, Any]] = []
    for number, run in enumerate(runs.values()):
        analysis = run.analysis
        accuracy = dict(zip(analysis.generalized.candidates, analysis.generalized.class_accuracy.tolist(), strict=True))
        values = _thousandths(analysis.class_semantics)
        same = next((earlier for earlier in range(number) if found[earlier]["values"] == values), None)
        found.append({
            "classes": list(analysis.classes),
            "semantics": list(analysis.attributes),
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
