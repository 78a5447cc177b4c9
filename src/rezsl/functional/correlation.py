"""Correlation of errors with semantic values, with bootstrap intervals."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


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
