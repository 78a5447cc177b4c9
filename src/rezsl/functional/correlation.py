"""Correlation of errors with semantic values, with bootstrap intervals."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.functional.imbalance import pearson
from rezsl.functional.resampling import percentile_interval


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
