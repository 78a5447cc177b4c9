"""Bins of numbers: of equal width, or of about equally many."""

from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.errors import ArgumentError
from rezsl.functional.quantiles import quantiles

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
