"""How unevenly the semantics are predicted, and whether that follows their values (section III-A of the paper)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.functional.scoring import l2_normalize


@dataclass(frozen=True)
class Imbalance:
    """Imbalance figures of one class error matrix.

    Attributes:
        semantic_error: mean error of each semantic over the classes, ``[S]``.
        correlation_over_classes: per semantic, the Pearson correlation over classes between class semantics and
            error, ``[S]``; NaN where either is constant.
        correlation_over_semantics: per class, the same over semantics, ``[K]``.
    """

    semantic_error: Float[Tensor, "S"]
    correlation_over_classes: Float[Tensor, "S"]
    correlation_over_semantics: Float[Tensor, "K"]

    @property
    def mean(self) -> float:
        """Mean over semantics of their mean error."""
        return float(self.semantic_error.mean())

    @property
    def spread(self) -> float:
        """Standard deviation over semantics of their mean error (population form)."""
        return float(self.semantic_error.std(correction=0))

    @property
    def class_correlation(self) -> float:
        """Mean of ``correlation_over_classes`` where it is defined."""
        return float(self.correlation_over_classes.nanmean())

    @property
    def semantic_correlation(self) -> float:
        """Mean of ``correlation_over_semantics`` where it is defined."""
        return float(self.correlation_over_semantics.nanmean())


def pearson(left: Float[Tensor, "M N"], right: Float[Tensor, "M N"]) -> Float[Tensor, "N"]:
    """Pearson correlation of each pair of columns; NaN where one of them is constant."""
    # Asked before centring: the rounding of the mean makes a constant column look like it varied.
    constant = (left.amax(dim=0) == left.amin(dim=0)) | (right.amax(dim=0) == right.amin(dim=0))
    left, right = (l2_normalize((side - side.mean(dim=0)).T) for side in (left, right))
    return (left * right).sum(dim=1).masked_fill(constant, torch.nan)


def imbalance(matrix: Float[Tensor, "K S"], class_semantics: Float[Tensor, "K S"]) -> Imbalance:
    """Imbalance figures of a class error matrix.

    Args:
        matrix: mean error of each class in each semantic, ``[K, S]``, as :func:`class_error_matrix` makes it.
        class_semantics: the semantics of the same classes, ``[K, S]``.
    """
    matrix, class_semantics = matrix.double(), class_semantics.double()
    return Imbalance(
        semantic_error=matrix.mean(dim=0),
        correlation_over_classes=pearson(class_semantics, matrix),
        correlation_over_semantics=pearson(class_semantics.T, matrix.T),
    )
