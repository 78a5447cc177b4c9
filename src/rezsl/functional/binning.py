"""Bins of equal width or of equal count, and the mean of a quantity in bins of the attribute value."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.errors import ArgumentError
from rezsl.functional.statistics import percentile_interval, quantiles

Binning = Literal["equal_width", "equal_count"]


def bin_edges(values: Float[Tensor, "N"], bins: int, binning: Binning) -> Float[Tensor, "edges"]:
    """Compute the edges of bins, ascending from the lowest value to the highest.

    Args:
        values: at least one number, without NaN, ``[N]``.
        bins: largest number of bins. Equal values share a bin, so there may be fewer, and only one if all are equal.
        binning: ``equal_width``, or ``equal_count`` for the same number of values in each bin as far as ties allow.

    Raises:
        ArgumentError: ``bins`` is below 1, or ``binning`` is unknown.

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
    """Return the bin of each value, in ``[0, B)``; a bin includes its upper edge, the first bin also its lower edge.

    >>> assign_bins(torch.tensor([0.0, 1.5, 1.6]), torch.tensor([0.0, 1.5, 8.0]))
    tensor([0, 0, 1])
    """
    place: Tensor = torch.bucketize(values.contiguous(), edges[1:-1].contiguous())
    return place


@dataclass(frozen=True, eq=False)
class ValueBins:
    """A quantity (the error, or its rate of fall) in B bins of the attribute value.

    Attributes:
        binning: ``equal_width``, or ``equal_count`` as far as ties allow, because equal values share a bin.
        edges: edges of the bins, ascending, ``[B + 1]``, in units of the attribute value. A bin includes its upper
            edge, the first bin also its lower edge.
        count: number of cells in each bin, ``[B]``, without those where the quantity is NaN.
        value: mean attribute value of the cells of each bin, ``[B]``; NaN in an empty bin.
        mean: mean of the quantity, ``[B]``; NaN in an empty bin.
        low: lower end of the interval of that mean, ``[B]``, by the percentile bootstrap over classes.
        high: upper end, ``[B]``.
        quartiles: the 25 %, 50 % and 75 % quantiles of the quantity, ``[B, 3]``.
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
    """Average a quantity over the cells (class, attribute) in bins of the attribute value.

    Args:
        quantity: a number for each cell, ``[K, S]``; NaN where it is undefined.
        values: attribute value of each cell, ``[K, S]``.
        weights: number of times that each class occurs in each draw of the bootstrap, ``[R, K]``, see
            :func:`bootstrap_weights`.
        bins: largest number of bins, at least 1.
        binning: ``equal_width`` or ``equal_count``.
        level: coverage of the intervals, between 0 and 1.

    Raises:
        ArgumentError: ``bins``, ``binning`` or ``level`` is invalid.
    """
    quantity, values = quantity.double(), values.double()
    edges = bin_edges(values.flatten(), bins, binning)
    bins, defined = len(edges) - 1, ~quantity.isnan()
    place = assign_bins(values, edges)
    # A draw of classes is a weighted sum of the rows of these matrices, which hold the sums of each class in each bin.
    count, value, total = (
        quantity.new_zeros(len(quantity), bins).scatter_add_(1, place, terms.where(defined, 0.0))
        for terms in (torch.ones_like(values), values, quantity)
    )
    low, high = percentile_interval((weights @ total) / (weights @ count), level)
    cells = [quantity[defined & (place == number)].unsqueeze(1) for number in range(bins)]
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
