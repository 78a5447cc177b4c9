"""The bootstrap, as weights: how often each row is drawn (Efron, 1979)."""

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.errors import ArgumentError
from rezsl.functional.quantiles import quantiles


def bootstrap_weights(count: int, resamples: int, seed: int) -> Float[Tensor, "R M"]:
    """How often each of ``count`` rows occurs in each of ``resamples`` draws of ``count`` rows with replacement.

    A weighted mean over the rows then is a draw of the mean, and all draws of it are one matrix product.

    Returns:
        Whole numbers ``[R, M]`` (float64); every row sums to ``count``. The same seed gives the same draws.
    """
    for name, value in (("count", count), ("resamples", resamples)):
        if value < 1:
            raise ArgumentError(f"{name}: expected at least 1, got {value}")
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(count, (resamples, count), generator=generator)
    weights = torch.zeros(resamples, count, dtype=torch.float64)
    return weights.scatter_add_(1, drawn, torch.ones_like(weights))


def percentile_interval(draws: Float[Tensor, "R N"], level: float) -> tuple[Float[Tensor, "N"], Float[Tensor, "N"]]:
    """The middle ``level`` of the draws of each column; undefined draws (NaN) are left out.

    Args:
        draws: of N figures, ``[R, N]``.
        level: coverage, between 0 and 1.
    """
    if not 0 < level < 1:
        raise ArgumentError(f"level: expected a number between 0 and 1, got {level}")
    low, high = quantiles(draws, ((1 - level) / 2, (1 + level) / 2))
    return low, high
