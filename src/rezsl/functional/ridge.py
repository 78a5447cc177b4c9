"""Ridge regression with an intercept in its dual form, whose penalty is chosen by leaving out one row at a time."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.errors import check_at_least, check_positive

PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Penalties to choose from, relative to the mean squared length of the centered features."""


class RidgeFit(NamedTuple):
    """A linear map from features ``[N, D]`` to targets ``[N, S]``, in float64.

    Attributes:
        center: mean of the features, ``[D]``.
        intercept: mean of the targets, ``[S]``.
        weights: ``[D, S]``.
        penalty: the chosen penalty, relative to the mean squared length of the centered features.
        left_out: prediction of each row by the other rows, ``[N, S]``.
    """

    center: Float[Tensor, "D"]
    intercept: Float[Tensor, "S"]
    weights: Float[Tensor, "D S"]
    penalty: float
    left_out: Float[Tensor, "N S"]

    def predict(self, features: Float[Tensor, "M D"]) -> Float[Tensor, "M S"]:
        """Return the targets of other rows."""
        return self.intercept + (features.double() - self.center) @ self.weights


def ridge(
    features: Float[Tensor, "N D"], targets: Float[Tensor, "N S"], penalties: Sequence[float] = PENALTIES
) -> RidgeFit:
    """Minimise ‖Y − 1bᵀ − XW‖² + λ‖W‖² (Hoerl and Kennard, Technometrics 1970) for the best of some penalties.

    With centered X and K = XXᵀ the fitted values are HY, H = 1/N + K(K + λI)⁻¹, and the residual of row i by the other
    rows is that of the fit divided by 1 − H_ii (Allen's PRESS, Technometrics 1974). λ is the penalty with the
    smallest sum of its squares. Each penalty is relative to the mean of the diagonal of K.

    Args:
        features: X, two rows at least.
        targets: Y.
        penalties: λ, one at least, each above 0.

    Raises:
        ArgumentError: there are fewer than two rows, no penalty, or one that is not above 0.
    """
    check_at_least(2, features=len(features))
    check_at_least(1, penalties=len(penalties))
    check_positive(penalties=min(penalties))
    center, intercept = features.double().mean(dim=0), targets.double().mean(dim=0)
    rows, rest = features.double() - center, targets.double() - intercept
    kernel, count = rows @ rows.T, len(rows)
    size = float(kernel.diagonal().mean()) or 1.0
    best: tuple[float, float, Tensor, Tensor] | None = None
    for penalty in penalties:
        inverse = torch.linalg.inv(kernel + penalty * size * torch.eye(count, dtype=torch.float64))
        fitted = kernel @ inverse
        residual = (rest - fitted @ rest) / (1 - 1 / count - fitted.diagonal()).unsqueeze(1)
        loss = float(residual.square().sum())
        if best is None or loss < best[0]:
            best = loss, penalty, rows.T @ inverse @ rest, targets.double() - residual
    assert best is not None
    return RidgeFit(center, intercept, best[2], best[1], best[3])
