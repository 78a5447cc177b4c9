"""Quantiles of columns with missing values.

The bootstrap, as weights: how often each row is drawn (Efron, 1979).

Correlation of errors with semantic values, with bootstrap intervals.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.errors import ArgumentError
from rezsl.functional.scoring import l2_normalize


def quantiles(matrix: Float[Tensor, "M N"], levels: Sequence[float]) -> Float[Tensor, "Q N"]:
    """Quantiles of each column, linear between its sorted values; NaN is left out, and comes where nothing is left.

    As ``torch.nanquantile``, which refuses more than 16 million numbers.

    >>> quantiles(torch.tensor([[1.0], [torch.nan], [2.0]]), (0.0, 0.5))
    tensor([[1.0000],
            [1.5000]])
    """
    if not len(matrix):
        return matrix.new_full((len(levels), matrix.shape[1]), torch.nan)
    ascending = matrix.sort(dim=0).values  # NaN goes to the end
    last = (~matrix.isnan()).sum(dim=0) - 1
    position = torch.tensor(levels, dtype=matrix.dtype, device=matrix.device).unsqueeze(1) * last.clamp(min=0)
    below = position.floor().long()
    above = torch.minimum(below + 1, last.clamp(min=0).expand_as(below))
    low, high = ascending.gather(0, below), ascending.gather(0, above)
    return torch.lerp(low, high, position - below)


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


@dataclass(frozen=True, eq=False)
class CorrelationEstimate:
    """One kind of correlation of N pairs of columns, each in ``[-1, 1]``, with percentile bootstrap intervals.

    An interval comes from resampling the rows (classes or semantics: what the correlation runs over), all columns
    with the same draws. Draws in which a column is constant are left out of its interval.

    Attributes:
        value: correlation of each pair, ``[N]``; NaN where one of the two is constant.
        low: lower end of its interval, ``[N]``; NaN where no draw defines it.
        high: upper end, ``[N]``.
        mean: mean of the defined values; NaN if there is none.
        mean_low: lower end of the interval of that mean.
        mean_high: upper end.
    """

    value: Float[Tensor, "N"]
    low: Float[Tensor, "N"]
    high: Float[Tensor, "N"]
    mean: float
    mean_low: float
    mean_high: float


@dataclass(frozen=True, eq=False)
class Correlations:
    """Both kinds of correlation of the same pairs.

    Attributes:
        pearson: how linear the relation is.
        spearman: how monotone it is: Pearson of the ranks, ties at their mean rank.
    """

    pearson: CorrelationEstimate
    spearman: CorrelationEstimate


def correlations(
    left: Float[Tensor, "M N"], right: Float[Tensor, "M N"], weights: Float[Tensor, "R M"], level: float
) -> Correlations:
    """Pearson and Spearman correlation of each pair of columns, with intervals.

    Args:
        left: N columns, ``[M, N]``.
        right: N columns, ``[M, N]``. A pair with a NaN in either has no correlation.
        weights: how often each row occurs in each bootstrap draw, as :func:`bootstrap_weights` makes them.
        level: coverage of the intervals, between 0 and 1.
    """
    left, right = left.double(), right.double()
    # The rows as they are count as one more draw, so that the values come from the same lines as their intervals.
    monotone = spearman_draws(left, right, torch.cat([torch.ones_like(weights[:1]), weights]))
    linear = pearson_draws(left, right, weights).masked_fill(monotone[1:].isnan(), torch.nan)
    return Correlations(
        pearson=_estimate(pearson(left, right), linear, level),
        spearman=_estimate(monotone[0], monotone[1:], level),
    )


def pearson(left: Float[Tensor, "M N"], right: Float[Tensor, "M N"]) -> Float[Tensor, "N"]:
    """Pearson correlation of each pair of columns; NaN where one of them is constant."""
    # Asked before centring: the rounding of the mean makes a constant column look like it varied.
    constant = (left.amax(dim=0) == left.amin(dim=0)) | (right.amax(dim=0) == right.amin(dim=0))
    left, right = (l2_normalize((side - side.mean(dim=0)).T) for side in (left, right))
    return (left * right).sum(dim=1).masked_fill(constant, torch.nan)


def spearman(left: Float[Tensor, "M N"], right: Float[Tensor, "M N"]) -> Float[Tensor, "N"]:
    """Spearman correlation of each pair of columns; NaN where one of them is constant, or holds a NaN.

    >>> spearman(torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[0.0], [10.0], [1e6]]))
    tensor([1.0000], dtype=torch.float64)
    """
    return spearman_draws(left, right, torch.ones(1, len(left)))[0]


def midranks(values: Float[Tensor, "M"], weights: Float[Tensor, "M R"]) -> Float[Tensor, "M R"]:
    """Rank of every value among the M values of each draw, less the mean rank; ties share the middle of their ranks.

    >>> midranks(torch.tensor([3.0, 1.0, 3.0]), torch.ones(3, 1)).T
    tensor([[ 0.5000, -1.0000,  0.5000]])
    """
    ascending, order = values.sort()
    before = weights.new_zeros(len(values) + 1, weights.shape[1])
    torch.cumsum(weights[order], dim=0, out=before[1:])
    first, end = torch.searchsorted(ascending, values), torch.searchsorted(ascending, values, right=True)
    return before[first].add_(before[end]).sub_(len(values)).div_(2)


def spearman_draws(
    left: Float[Tensor, "M N"], right: Float[Tensor, "M N"], weights: Float[Tensor, "R M"]
) -> Float[Tensor, "R N"]:
    """Spearman correlation of each pair of columns in each draw, ranked anew; NaN where a column is constant there."""
    # Float32 holds ranks (halves of whole numbers) without rounding, and takes half the time.
    drawn = weights.T.contiguous().float()
    # Made first: small results kept between the large steps of a loop would scatter over the heap, hundreds of MB.
    correlation = torch.empty(left.shape[1], len(weights), dtype=torch.float64)
    for column, pair in enumerate(zip(left.T.contiguous(), right.T.contiguous(), strict=True)):
        correlation[column] = _spearman_of_pair(*pair, drawn)
    return correlation.T


def _spearman_of_pair(
    left: Float[Tensor, "M"], right: Float[Tensor, "M"], weights: Float[Tensor, "M R"]
) -> Float[Tensor, "R"]:
    if bool((left.isnan() | right.isnan()).any()):
        return weights.new_full((weights.shape[1],), torch.nan, dtype=torch.float64)
    left, right = midranks(left, weights), midranks(right, weights)
    weighted = weights * left
    left_square = (weighted * left).sum(dim=0, dtype=torch.float64)
    covariance = weighted.mul_(right).sum(dim=0, dtype=torch.float64)
    right_square = right.square_().mul_(weights).sum(dim=0, dtype=torch.float64)
    # Ranks lie about 0 exactly, so the squares of a constant column sum to 0 exactly, and 0 / 0 is NaN.
    return (covariance / left_square.sqrt() / right_square.sqrt()).clamp(-1, 1)


def pearson_draws(
    left: Float[Tensor, "M N"], right: Float[Tensor, "M N"], weights: Float[Tensor, "R M"]
) -> Float[Tensor, "R N"]:
    """Pearson correlation of each pair of columns in each draw, by moments: five matrix products for all draws.

    Where a column is constant in a draw the result is rounding: :func:`spearman_draws` knows where that is.
    """
    # About the median: a draw that misses an outlier then lies about 0 still, and its moments do not cancel.
    left, right = ((side - side.median(dim=0).values) for side in (left, right))
    left, right = (side / side.abs().amax(dim=0).clamp(min=torch.finfo(side.dtype).tiny) for side in (left, right))
    weights = weights / weights.sum(dim=1, keepdim=True)
    left_mean, right_mean = weights @ left, weights @ right
    covariance = weights @ (left * right) - left_mean * right_mean
    left_variance, right_variance = (
        (weights @ side.square() - mean.square()).clamp(min=0.0)
        for side, mean in ((left, left_mean), (right, right_mean))
    )
    length = left_variance.sqrt() * right_variance.sqrt()
    return torch.where(length > 0, covariance / length, torch.nan).clamp(-1, 1)


def _estimate(value: Float[Tensor, "N"], draws: Float[Tensor, "R N"], level: float) -> CorrelationEstimate:
    low, high = percentile_interval(draws, level)
    mean_low, mean_high = percentile_interval(draws.nanmean(dim=1, keepdim=True), level)
    return CorrelationEstimate(value, low, high, float(value.nanmean()), float(mean_low), float(mean_high))
