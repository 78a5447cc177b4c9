"""Bins of numbers: of an error by the attribute value, and of the attribute values by training samples."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.errors import check_at_least, check_choice, check_positive
from rezsl.functional.shapes import ClassMatrix, checked
from rezsl.functional.statistics import percentile_interval, quantiles

Binning = Literal["equal_width", "equal_count"]
Kernel = Literal["gaussian", "triangular", "laplace"]


@checked
def bin_edges(values: Float[Tensor, "N"], bins: int, binning: Binning) -> Float[Tensor, "edges"]:
    """Compute the edges of bins, ascending from the lowest value to the highest.

    Args:
        values: at least one number, without NaN, ``[N]``.
        bins: largest number of bins. Equal values share a bin, so there may be fewer, and only one if all are equal.
        binning: ``equal_width``, or ``equal_count`` for the same number of values in each bin as far as ties allow;
            an ArgumentError is raised for another one, and for ``bins`` below 1.

    >>> bin_edges(torch.tensor([0.0, 1.0, 2.0, 8.0]), 2, "equal_count")
    tensor([0.0000, 1.5000, 8.0000])
    """
    check_at_least(1, bins=bins)
    check_choice(Binning, binning=binning)
    low, high = values.aminmax()
    if low == high:
        return torch.stack([low, high])
    steps = torch.linspace(0, 1, bins + 1, dtype=values.dtype)
    if binning == "equal_width":
        return torch.cat([torch.lerp(low, high, steps[:-1]), high.unsqueeze(0)])
    edges: Tensor = quantiles(values.unsqueeze(1), steps.tolist()).squeeze(1).unique()
    return edges


@checked
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
        binning: the rule by which the edges were chosen, see :func:`bin_edges`.
        edges: edges of the bins, ascending, ``[B + 1]``, in units of the attribute value; see :func:`assign_bins`.
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


@checked
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
        weights: draws of the bootstrap over classes, ``[R, K]``, see :func:`bootstrap_weights`.
        bins: largest number of bins, see :func:`bin_edges`.
        binning: the rule for the edges, see :func:`bin_edges`.
        level: coverage of the intervals, between 0 and 1.
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
    # One bin at a time, because all of them together are a copy of the matrix.
    cells = (quantity[defined & (place == number)].unsqueeze(1) for number in range(bins))
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


@dataclass(frozen=True, eq=False)
class LabelBins:
    """N bins of equal width per attribute, from the lowest to the highest value of the training classes.

    Attributes:
        low: lower edge of the first bin, ``[S]``.
        width: width of a bin, ``[S]``, in units of the attribute; 0 where all classes have the same value.
        number: N, bins per attribute.
    """

    low: Float[Tensor, "S"]
    width: Float[Tensor, "S"]
    number: int

    def bin_of(self, values: Float[Tensor, "M S"]) -> Int[Tensor, "M S"]:
        """Return the bin of every value, in ``[0, N)``; values beyond the edges are in the first or the last bin."""
        position = (values.to(self.low.dtype) - self.low) / torch.where(self.width > 0, self.width, 1.0)
        return position.floor().clamp(0, self.number - 1).long()

    def centres(self) -> Float[Tensor, "S N"]:
        """Return the middle of every bin."""
        steps = torch.arange(self.number, device=self.low.device, dtype=self.low.dtype) + 0.5
        return self.low.unsqueeze(1) + self.width.unsqueeze(1) * steps

    def density(self, class_semantics: ClassMatrix, class_counts: Int[Tensor, "C"]) -> Float[Tensor, "S N"]:
        """Count the training samples in each bin, from the attributes and the number of samples of each class."""
        samples = self.low.new_zeros(self.low.shape[0], self.number)
        counts = class_counts.to(samples).unsqueeze(0).expand(samples.shape[0], -1)
        return samples.scatter_add_(1, self.bin_of(class_semantics).T, counts)


@checked
def label_bins(class_semantics: ClassMatrix, number: int) -> LabelBins:
    """Divide the range of each attribute of the training classes ``[C, S]`` (C at least 1) into ``number`` bins."""
    low, high = class_semantics.amin(dim=0), class_semantics.amax(dim=0)
    return LabelBins(low, (high - low) / number, number)


def smoothing_matrix(kernel: Kernel, reach: int, spread: float, bins: int) -> Float[Tensor, "N N"]:
    """Return the weight of each bin in the smoothed value of each other bin, ``[N, N]``, float64.

    The matrix is symmetric, with 1 on the diagonal and 0 beyond ``reach``. These are the kernels of label distribution
    smoothing (Yang et al., ICML 2021), with x = |b − b'| ≤ reach:

        gaussian     exp(−x² / (2 · spread²))
        triangular   1 − x / (reach + 1)
        laplace      exp(−x / spread)

    Args:
        kernel: shape of the kernel.
        reach: number of bins on either side, at least 0; a window of 5 bins has reach 2.
        spread: width of ``gaussian`` and ``laplace``, in bins, above 0.
        bins: N, number of bins, at least 1; an ArgumentError names the option that is outside its range.

    >>> smoothing_matrix("triangular", 1, 1.0, 3)
    tensor([[1.0000, 0.5000, 0.0000],
            [0.5000, 1.0000, 0.5000],
            [0.0000, 0.5000, 1.0000]], dtype=torch.float64)
    """
    check_choice(Kernel, kernel=kernel)
    check_at_least(0, reach=reach)
    check_positive(spread=spread)
    check_at_least(1, bins=bins)
    place = torch.arange(bins, dtype=torch.float64)
    distance = (place.unsqueeze(0) - place.unsqueeze(1)).abs()
    weights = {
        "gaussian": (-distance.square() / (2 * spread**2)).exp(),
        "triangular": 1 - distance / (reach + 1),
        "laplace": (-distance / spread).exp(),
    }
    return torch.where(distance <= reach, weights[kernel], 0.0)
