"""Bins of numbers: of equal width, or of about equally many.

A quantity of every cell of the class × semantic matrix against the semantic's value, in bins of that value.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.errors import ArgumentError
from rezsl.functional.statistics import percentile_interval, quantiles

Binning = Literal["equal_width", "equal_count"]


def bin_edges(values: Float[Tensor, "N"], bins: int, binning: Binning) -> Float[Tensor, "edges"]:
    """Edges of the bins of some numbers, ascending, from the lowest number to the highest.

    Args:
        values: at least one, none of them NaN.
        bins: how many; there are fewer where equal numbers must share a bin, one where all are equal.
        binning: ``equal_width``, or ``equal_count``: as many numbers in each bin as ties allow.

    >>> bin_edges(torch.tensor([0.0, 1.0, 2.0, 8.0]), 2, "equal_count")
    tensor([0.0000, 1.5000, 8.0000])
    """
    if bins < 1:
        raise ArgumentError(f"bins: expected at least 1, got {bins}")
    if binning not in get_args(Binning):
        raise ArgumentError(f"binning: expected one of {', '.join(get_args(Binning))}, got {binning!r}")
    low, high = values.aminmax()
    if low == high:
        return torch.stack([low, high])
    steps = torch.linspace(0, 1, bins + 1, dtype=values.dtype)
    if binning == "equal_width":
        return torch.cat([torch.lerp(low, high, steps[:-1]), high.unsqueeze(0)])
    edges: Tensor = quantiles(values.unsqueeze(1), steps.tolist()).squeeze(1).unique()
    return edges


def assign_bins(values: Float[Tensor, "*N"], edges: Float[Tensor, "edges"]) -> Int[Tensor, "*N"]:
    """Bin of each number, in ``[0, B)``: a bin includes its upper edge, the first one also its lower.

    >>> assign_bins(torch.tensor([0.0, 1.5, 1.6]), torch.tensor([0.0, 1.5, 8.0]))
    tensor([0, 0, 1])
    """
    place: Tensor = torch.bucketize(values.contiguous(), edges[1:-1].contiguous())
    return place


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
    edges: Float[Tensor, "edges"]
    count: Int[Tensor, "B"]
    value: Float[Tensor, "B"]
    mean: Float[Tensor, "B"]
    low: Float[Tensor, "B"]
    high: Float[Tensor, "B"]
    quartiles: Float[Tensor, "B 3"]


def bin_by_value(
    quantity: Float[Tensor, "K S"],
    values: Float[Tensor, "K S"],
    weights: Float[Tensor, "R K"],
    bins: int = 10,
    binning: Binning = "equal_width",
    level: float = 0.95,
) -> ValueBins:
    """Bin the cells of a matrix by the semantic value of each cell.

    Args:
        quantity: of each cell, ``[K, S]``; NaN where it is undefined.
        values: semantic value of each cell, ``[K, S]``.
        weights: how often each class occurs in each bootstrap draw, as :func:`bootstrap_weights` makes them.
        bins: how many at most.
        binning: how they are cut.
        level: coverage of the intervals, between 0 and 1.
    """
    quantity, values = quantity.double(), values.double()
    edges = bin_edges(values.flatten(), bins, binning)
    bins, known = len(edges) - 1, ~quantity.isnan()
    place = assign_bins(values, edges)
    # Sums of each class in each bin: a draw of classes is a weighted sum of their rows.
    count, value, total = (
        quantity.new_zeros(len(quantity), bins).scatter_add_(1, place, terms.where(known, 0.0))
        for terms in (torch.ones_like(values), values, quantity)
    )
    low, high = percentile_interval((weights @ total) / (weights @ count), level)
    cells = [quantity[known & (place == number)].unsqueeze(1) for number in range(bins)]
    return ValueBins(
        binning=binning,
        edges=edges,
        count=count.sum(dim=0).long(),
        value=value.sum(dim=0) / count.sum(dim=0),
        mean=total.sum(dim=0) / count.sum(dim=0),
        low=low,
        high=high,
        quartiles=torch.stack([quantiles(cell, (0.25, 0.5, 0.75)).squeeze(1) for cell in cells]),
    )
