"""How fast the errors fall from epoch to epoch, and whether that follows the semantics' values."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.errors import ArgumentError
from rezsl.functional.binning import ValueBins
from rezsl.functional.statistics import Correlations


@dataclass(frozen=True, eq=False)
class ErrorFall:
    """How fast the errors of a run fall.

    Attributes:
        epochs: at which the errors were measured, ``[E]``.
        rate: of every cell, ``[K, S]``: minus the slope of the least-squares line of ln error over epochs, in 1/epoch;
            0.1 means that an error falls by about 10 % per epoch, negative that it grows. Epochs in which a cell has
            no error are left out of its line; NaN with fewer than two left.
        mean_error: mean over all cells in each epoch, ``[E]``.
        by_value: the rate in bins of the semantic value.
        correlation_over_classes: per semantic ``[S]``, between value and rate; NaN where a rate is missing.
    """

    epochs: Float[Tensor, "E"]
    rate: Float[Tensor, "K S"]
    mean_error: Float[Tensor, "E"]
    by_value: ValueBins
    correlation_over_classes: Correlations


def error_fall_rate(error_matrices: Float[Tensor, "E K S"], epochs: Float[Tensor, "E"]) -> Float[Tensor, "K S"]:
    """Minus the slope of the least-squares line of ln error over epochs, of every cell; see :class:`ErrorFall`.

    Args:
        error_matrices: class error matrix of each epoch, ``[E, K, S]``, non-negative.
        epochs: number of each epoch, ``[E]``, ascending.

    >>> error_fall_rate(torch.tensor([1.0, 0.5, 0.25]).log().exp().reshape(3, 1, 1), torch.tensor([0.0, 1.0, 2.0]))
    tensor([[0.6931]], dtype=torch.float64)
    """
    if len(epochs) < 2:
        raise ArgumentError(f"error_matrices: expected those of at least two epochs, got {len(epochs)}")
    if not bool((epochs.diff() > 0).all() & epochs.isfinite().all()):
        raise ArgumentError(f"epochs: expected finite numbers in ascending order, got {epochs.tolist()}")
    if not bool(((error_matrices >= 0) & error_matrices.isfinite()).all()):
        raise ArgumentError("error_matrices: expected finite errors of at least 0, got a negative or no number")
    matrices = error_matrices.double()
    positive = matrices > 0
    log_error = torch.where(positive, matrices, 1.0).log()
    count = positive.sum(dim=0).clamp(min=1)
    time = epochs.double().reshape(-1, 1, 1)
    time = (time - (time * positive).sum(dim=0) / count) * positive
    # The times sum to 0 over the epochs that count, so the mean of ln error drops out of the slope's numerator; it is
    # taken off all the same, lest large logarithms cancel.
    log_error = log_error - (log_error * positive).sum(dim=0) / count
    slope = (time * log_error).sum(dim=0) / time.square().sum(dim=0)
    return (0.0 - slope).where(positive.sum(dim=0) > 1, torch.nan)
