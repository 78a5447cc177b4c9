"""A quantity of every cell of the class × semantic matrix against the semantic's value, in bins of that value."""

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from rezsl.functional.binning import Binning


@dataclass(frozen=True, eq=False)
class ValueBins:
    """A quantity (the error, or its rate of fall) in B bins of the semantic value.

    Attributes:
        binning: ``equal_width``, or ``equal_count`` (as equal as ties allow: equal values share a bin).
        edges: of the bins, ascending, ``[B + 1]``, in units of the semantic value. A bin includes its upper edge, the
            first one also its lower.
        count: cells in each bin, ``[B]``; cells without the quantity (NaN) are left out.
        value: mean semantic value of the cells of each bin, ``[B]``; NaN in an empty bin.
        mean: mean of the quantity, ``[B]``; NaN in an empty bin.
        low: lower end of the interval of that mean, ``[B]``: percentile bootstrap, classes resampled.
        high: upper end, ``[B]``.
        quartiles: of the quantity, ``[B, 3]``: 25 %, 50 %, 75 % of the cells lie below.
    """

    binning: Binning
    edges: Float[Tensor, "B+1"]
    count: Int[Tensor, "B"]
    value: Float[Tensor, "B"]
    mean: Float[Tensor, "B"]
    low: Float[Tensor, "B"]
    high: Float[Tensor, "B"]
    quartiles: Float[Tensor, "B 3"]
