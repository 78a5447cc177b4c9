"""Bins of the values that each attribute has in the training classes, and kernels that smooth over these bins."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.errors import ArgumentError
from rezsl.functional.shapes import ClassMatrix

Kernel = Literal["gaussian", "triangular", "laplace"]


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


def label_bins(class_semantics: ClassMatrix, number: int) -> LabelBins:
    """Divide the range of each attribute of the training classes ``[C, S]`` (C at least 1) into ``number`` bins."""
    low, high = class_semantics.amin(dim=0), class_semantics.amax(dim=0)
    return LabelBins(low, (high - low) / number, number)


def check_bins(bins: int) -> None:
    """Raise an ArgumentError for a number of bins below 1."""
    if bins < 1:
        raise ArgumentError(f"bins: expected at least 1, got {bins}")


def check_kernel(kernel: Kernel, reach: int, spread: float) -> None:
    """Raise an ArgumentError for options that :func:`smoothing_matrix` does not accept."""
    if kernel not in get_args(Kernel):
        raise ArgumentError(f"kernel: expected one of {', '.join(get_args(Kernel))}, got {kernel!r}")
    if reach < 0:
        raise ArgumentError(f"reach: expected at least 0, got {reach}")
    if not 0 < spread < float("inf"):
        raise ArgumentError(f"spread: expected a positive number, got {spread}")


def smoothing_matrix(kernel: Kernel, reach: int, spread: float, number: int) -> Float[Tensor, "N N"]:
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
        number: N, number of bins.

    Raises:
        ArgumentError: an option is outside its range.

    >>> smoothing_matrix("triangular", 1, 1.0, 3)
    tensor([[1.0000, 0.5000, 0.0000],
            [0.5000, 1.0000, 0.5000],
            [0.0000, 0.5000, 1.0000]], dtype=torch.float64)
    """
    check_kernel(kernel, reach, spread)
    place = torch.arange(number, dtype=torch.float64)
    distance = (place.unsqueeze(0) - place.unsqueeze(1)).abs()
    match kernel:
        case "gaussian":
            weight = (-distance.square() / (2 * spread**2)).exp()
        case "triangular":
            weight = 1 - distance / (reach + 1)
        case "laplace":
            weight = (-distance / spread).exp()
    return torch.where(distance <= reach, weight, 0.0)
