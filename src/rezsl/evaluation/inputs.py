"""Predictions that are fit to be analysed."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from rezsl.errors import ArgumentError, DataError
from rezsl.semantics import ClassSemantics


def check_predictions(predictions: Tensor, labels: Tensor, semantics: ClassSemantics, scores: Tensor | None) -> None:
    """Refuse what the analysis of would mean nothing.

    Raises:
        DataError: a shape or a kind does not match, a label lies outside the table, or a number is not finite.
    """
    columns, rows = len(semantics.attributes), len(semantics.classes)
    _check_matrix("predictions", predictions, len(predictions), columns, "attribute")
    if not len(predictions):
        raise DataError("predictions: expected at least one sample, got none")
    if labels.shape != (len(predictions),) or labels.is_floating_point() or labels.dtype == torch.bool:
        raise DataError(
            f"labels: expected a whole number per sample, {len(predictions)}, "
            f"got {labels.dtype} of shape {tuple(labels.shape)}"
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= rows:
        raise DataError(
            f"labels: expected class numbers in [0, {rows}), the rows of the semantics table, "
            f"got {low if low < 0 else high}"
        )
    if scores is not None:
        _check_matrix("scores", scores, len(predictions), rows, "class")


def check_setting(semantics: ClassSemantics, seen_classes: Sequence[str], gamma: float, scale: float) -> None:
    """Refuse an impossible γ or scale, and seen classes that the table does not have.

    Raises:
        ArgumentError: γ is not finite, or the scale is not positive.
        DataError: a seen class has no semantics.
    """
    semantics.index(seen_classes)
    if not math.isfinite(gamma):
        raise ArgumentError(f"gamma: expected a finite number, got {gamma}")
    if not 0 < scale < math.inf:
        raise ArgumentError(f"scale: expected a positive number, got {scale}")


def _check_matrix(argument: str, matrix: Tensor, rows: int, columns: int, column: str) -> None:
    if matrix.shape != (rows, columns) or not matrix.is_floating_point():
        raise DataError(
            f"{argument}: expected numbers [{rows}, {columns}], a row per sample and a column per {column} of the "
            f"semantics table, got {matrix.dtype} of shape {tuple(matrix.shape)}"
        )
    finite = matrix.isfinite().all(dim=1)
    if not bool(finite.all()):
        raise DataError(
            f"{argument}: expected finite numbers, got NaN or infinity in row {int((~finite).nonzero()[0])}"
        )
