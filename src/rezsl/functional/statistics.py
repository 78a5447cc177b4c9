"""Quantiles, bootstrap intervals (Efron, 1979) and correlations of columns of numbers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.errors import check_at_least, check_between_0_and_1
from rezsl.functional.scoring import l2_normalize

_RANKS = 1 << 18
"""Ranks that are computed at a time, so few that they stay in the cache of a processor."""

_CELLS = 1 << 20
"""Numbers of a matrix that are worked on at a time, because copies of all of it would take several times its memory."""


def column_blocks(*matrices: Float[Tensor, "M N"]) -> Iterator[tuple[Float[Tensor, "M _"], ...]]:
    """Yield the same columns of matrices, as many at a time as have about a million numbers, in float64."""
    step = max(1, _CELLS // max(1, len(matrices[0])))
    for parts in zip(*(matrix.split(step, dim=1) for matrix in matrices), strict=True):
        yield tuple(part.double() for part in parts)


def spread(index: Int[Tensor, "N"], most: int) -> Int[Tensor, "M"]:
    """Return at most so many entries of an index, spread evenly over all of them.

    >>> spread(torch.arange(10), 4)
    tensor([0, 3, 6, 9])
    """
    if len(index) <= most:
        return index
    return index[torch.linspace(0, len(index) - 1, most, dtype=torch.float64).round().long()]


def quantiles(matrix: Float[Tensor, "M N"], levels: Sequence[float]) -> Float[Tensor, "Q N"]:
    """Compute quantiles of each column by linear interpolation; NaN entries are left out.

    The results are those of ``torch.nanquantile``, which refuses more than 16 million numbers. A column without
    numbers has the quantile NaN.

    >>> quantiles(torch.tensor([[1.0], [torch.nan], [2.0]]), (0.0, 0.5))
    tensor([[1.0000],
            [1.5000]])
    """
    if not len(matrix):
        return matrix.new_full((len(levels), matrix.shape[1]), torch.nan)
    ascending = matrix.sort(dim=0).values  # NaN is sorted to the end
    last = (~matrix.isnan()).sum(dim=0) - 1
    position = torch.tensor(levels, dtype=matrix.dtype, device=matrix.device).unsqueeze(1) * last.clamp(min=0)
    below = position.floor().long()
    above = torch.minimum(below + 1, last.clamp(min=0).expand_as(below))
    low, high = ascending.gather(0, below), ascending.gather(0, above)
    return torch.lerp(low, high, position - below)


def bootstrap_weights(count: int, resamples: int, seed: int) -> Float[Tensor, "R M"]:
    """Draw ``count`` of ``count`` rows with replacement, ``resamples`` times, and count each row's occurrences.

    The counts are whole numbers ``[R, M]`` (float64), ``resamples`` × ``count``; every row sums to ``count``. A mean
    over the rows weighted by them is a bootstrap draw of the mean, so one matrix product computes all draws. The same
    seed gives the same draws.
    """
    check_at_least(1, count=count, resamples=resamples)
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(count, (resamples, count), generator=generator)
    weights = torch.zeros(resamples, count, dtype=torch.float64)
    return weights.scatter_add_(1, drawn, torch.ones_like(weights))


def percentile_interval(draws: Float[Tensor, "R N"], level: float) -> tuple[Float[Tensor, "N"], Float[Tensor, "N"]]:
    """Return both ends of the percentile bootstrap interval of each column, from R draws of N numbers.

    Undefined draws (NaN) are left out. The coverage ``level`` is between 0 and 1.
    """
    check_between_0_and_1(level=level)
    low, high = quantiles(draws, ((1 - level) / 2, (1 + level) / 2))
    return low, high


@dataclass(frozen=True, eq=False)
class CorrelationEstimate:
    """One kind of correlation of N pairs of columns, each in ``[-1, 1]``, with percentile bootstrap intervals.

    The rows (classes or attributes) are resampled, with the same draws for all columns. Draws in which a column is
    constant are left out of its interval.

    Attributes:
        value: correlation of each pair, ``[N]``; NaN where a column of the pair is constant.
        low: lower end of its interval, ``[N]``; NaN where it is undefined in every draw.
        high: upper end, ``[N]``.
        mean: mean of the values that are not NaN; NaN if all are.
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
    """The Pearson and the Spearman correlation of the same pairs of columns.

    Attributes:
        pearson: strength of the linear relation.
        spearman: strength of the monotone relation: the Pearson correlation of the ranks; ties have their mean rank.
    """

    pearson: CorrelationEstimate
    spearman: CorrelationEstimate


def correlations(
    left: Float[Tensor, "M N"], right: Float[Tensor, "M N"], weights: Float[Tensor, "R M"], level: float
) -> Correlations:
    """Compute the Pearson and the Spearman correlation of each pair of columns, with intervals.

    ``left`` and ``right`` are N columns each, ``[M, N]``; the correlation of a pair with a NaN in either column is NaN.
    ``weights`` are the draws of :func:`bootstrap_weights`, and ``level`` is the coverage of the intervals.
    """
    # The rows themselves are the first draw, so that the same lines compute the values and their intervals.
    monotone = spearman_draws(left, right, torch.cat([torch.ones_like(weights[:1]), weights]))
    draws = [pearson_draws(one, other, weights) for one, other in column_blocks(left, right)]
    linear = torch.cat(draws, dim=1).masked_fill_(monotone[1:].isnan(), torch.nan)
    return Correlations(
        pearson=_estimate(pearson(left, right), linear, level),
        spearman=_estimate(monotone[0], monotone[1:], level),
    )


def pearson(left: Float[Tensor, "M N"], right: Float[Tensor, "M N"]) -> Float[Tensor, "N"]:
    """Compute the Pearson correlation ``[N]`` of each pair of columns, in float64; NaN where one is constant."""
    return torch.cat([_pearson(one, other) for one, other in column_blocks(left, right)])


def _pearson(left: Float[Tensor, "M N"], right: Float[Tensor, "M N"]) -> Float[Tensor, "N"]:
    # This is tested before centering, because the rounding of the mean makes a constant column vary.
    constant = (left.amax(dim=0) == left.amin(dim=0)) | (right.amax(dim=0) == right.amin(dim=0))
    left, right = (l2_normalize((side - side.mean(dim=0)).T) for side in (left, right))
    return (left * right).sum(dim=1).masked_fill(constant, torch.nan)


def midranks(values: Float[Tensor, "M"], weights: Float[Tensor, "M R"]) -> Float[Tensor, "M R"]:
    """Rank the M values in each draw, less the mean rank; ties share the middle of their ranks.

    >>> midranks(torch.tensor([3.0, 1.0, 3.0]), torch.ones(3, 1)).T
    tensor([[ 0.5000, -1.0000,  0.5000]])
    """
    return _midranks(values.unsqueeze(0), weights).squeeze(0)


def _midranks(values: Float[Tensor, "N M"], weights: Float[Tensor, "M R"]) -> Float[Tensor, "N M R"]:
    """Rank each of N rows of M values as :func:`midranks` does."""
    rows, count = values.shape
    ascending, order = values.sort(dim=1)
    before = weights.new_zeros(rows, count + 1, weights.shape[1])
    torch.cumsum(weights[order], dim=1, out=before[:, 1:])
    first, end = torch.searchsorted(ascending, values), torch.searchsorted(ascending, values, right=True)
    # Whole rows are taken by one index, which is faster than gathering number by number.
    offset, flat = (count + 1) * torch.arange(rows).unsqueeze(1), before.flatten(0, 1)
    return flat[first + offset].add_(flat[end + offset]).sub_(count).div_(2)


def spearman_draws(
    left: Float[Tensor, "M N"], right: Float[Tensor, "M N"], weights: Float[Tensor, "R M"]
) -> Float[Tensor, "R N"]:
    """Compute the Spearman correlation of each pair in each draw, ``[R, N]``; NaN where one is constant or has a NaN.

    >>> spearman_draws(torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[0.0], [10.0], [1e6]]), torch.ones(1, 3))
    tensor([[1.0000]], dtype=torch.float64)
    """
    # Float32 represents ranks (halves of whole numbers) exactly, and takes half the time.
    drawn = weights.T.contiguous().float()
    # The result is allocated first: small results between the large ones of each step would fragment the heap.
    correlation = torch.empty(left.shape[1], len(weights), dtype=torch.float64)
    unknown = (left.isnan() | right.isnan()).any(dim=0)
    # Short columns are ranked several at a time, because each call has its costs.
    step = max(1, _RANKS // max(1, drawn.numel()))
    one, other = (side.T.contiguous().split(step) for side in (left, right))
    for target, *pair in zip(correlation.split(step), one, other, strict=True):
        target.copy_(_spearman_of_pairs(pair[0], pair[1], drawn))
    return correlation.masked_fill_(unknown.unsqueeze(1), torch.nan).T


def _spearman_of_pairs(
    left: Float[Tensor, "N M"], right: Float[Tensor, "N M"], weights: Float[Tensor, "M R"]
) -> Float[Tensor, "N R"]:
    left, right = _midranks(left, weights), _midranks(right, weights)
    weighted = weights * left
    left_square = (weighted * left).sum(dim=1, dtype=torch.float64)
    covariance = weighted.mul_(right).sum(dim=1, dtype=torch.float64)
    right_square = right.square_().mul_(weights).sum(dim=1, dtype=torch.float64)
    # The mean of the ranks is exactly 0, so the squares of a constant column sum to exactly 0, and 0 / 0 is NaN.
    return (covariance / left_square.sqrt() / right_square.sqrt()).clamp(-1, 1)


def pearson_draws(
    left: Float[Tensor, "M N"], right: Float[Tensor, "M N"], weights: Float[Tensor, "R M"]
) -> Float[Tensor, "R N"]:
    """Compute the Pearson correlation of each pair in each draw, ``[R, N]``, by five matrix products for all draws.

    Where a column is constant in a draw, the result is a rounding error; :func:`spearman_draws` is NaN there.
    """
    # The median is subtracted: a draw without an outlier then still has a mean near 0, and its moments do not cancel.
    left, right = ((side - side.median(dim=0).values) for side in (left, right))
    left, right = (side / side.abs().amax(dim=0).clamp(min=torch.finfo(side.dtype).tiny) for side in (left, right))
    weights = weights / weights.sum(dim=1, keepdim=True)
    left_mean, right_mean = weights @ left, weights @ right
    covariance = weights @ (left * right) - left_mean * right_mean
    left_deviation, right_deviation = (
        (weights @ side.square() - mean.square()).clamp(min=0.0).sqrt()
        for side, mean in ((left, left_mean), (right, right_mean))
    )
    length = left_deviation * right_deviation
    return torch.where(length > 0, covariance / length, torch.nan).clamp(-1, 1)


def _estimate(value: Float[Tensor, "N"], draws: Float[Tensor, "R N"], level: float) -> CorrelationEstimate:
    low, high = percentile_interval(draws, level)
    mean_low, mean_high = percentile_interval(draws.nanmean(dim=1, keepdim=True), level)
    return CorrelationEstimate(value, low, high, float(value.nanmean()), float(mean_low), float(mean_high))


def add_piece(pieces: list[Tensor], piece: Tensor) -> None:
    """Append a part of a batch to a list, and join the last parts of the list while the last one is the longer one.

    So n equal parts leave at most log2(n) + 1 of them. Thousands of small parts, allocated between large matrices of
    scores, would keep the allocator of a CPU from using the memory of these matrices again: gigabytes for a million
    samples of 20,000 classes.
    """
    pieces.append(piece)
    while len(pieces) > 1 and len(pieces[-1]) >= len(pieces[-2]):
        last = pieces.pop()
        pieces[-1] = torch.cat([pieces[-1], last])
