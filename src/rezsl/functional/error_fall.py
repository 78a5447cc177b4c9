"""The rate at which errors fall from epoch to epoch, and its relation to the attribute values."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.errors import ArgumentError
from rezsl.functional.binning import ValueBins
from rezsl.functional.statistics import Correlations


@dataclass(frozen=True, eq=False)
class ErrorFall:
    """The rate at which the errors of a run fall.

    Attributes:
        epochs: the epochs in which the errors were measured, ``[E]``.
        rate: minus the slope of the least-squares line of ln error over epochs in every cell, ``[K, S]``, in 1/epoch.
            At 0.1 an error falls by about 10 % per epoch; at negative rates it grows. Epochs in which the error of a
            cell is 0 are left out of its line; NaN where fewer than two epochs are left.
        mean_error: mean error over all cells in each epoch, ``[E]``.
        by_value: the rate in bins of the attribute value.
        correlation_over_classes: correlation between value and rate of each attribute, ``[S]``; NaN with any NaN rate.
    """

    epochs: Float[Tensor, "E"]
    rate: Float[Tensor, "K S"]
    mean_error: Float[Tensor, "E"]
    by_value: ValueBins
    correlation_over_classes: Correlations


def error_fall_rate(error_matrices: Float[Tensor, "E K S"], epochs: Float[Tensor, "E"]) -> Float[Tensor, "K S"]:
    """Compute minus the slope of the least-squares line of ln error over epochs in every cell; see :class:`ErrorFall`.

    Args:
        error_matrices: class error matrix of each epoch, ``[E, K, S]``, non-negative.
        epochs: number of each epoch, ``[E]``, ascending, at least two.

    Raises:
        ArgumentError: there are fewer than two epochs, they do not ascend, or an error is negative or not finite.

    >>> error_fall_rate(torch.tensor([1.0, 0.5, 0.25]).log().exp().reshape(3, 1, 1), torch.tensor([0.0, 1.0, 2.0]))
    tensor([[0.6931]], dtype=torch.float64)
    """
    if len(epochs) < 2:
        raise ArgumentError(f"error_matrices: expected those of at least two epochs, got {len(epochs)}")
    if not bool((epochs.diff() > 0).all() & epochs.isfinite().all()):
        raise ArgumentError(f"epochs: expected finite numbers in ascending order, got {epochs.tolist()}")
    if not bool(((error_matrices >= 0) & error_matrices.isfinite()).all()):
        raise ArgumentError("error_matrices: expected finite errors of at least 0, got a negative or non-finite one")
    matrices = error_matrices.double()
    positive = matrices > 0
    log_error = torch.where(positive, matrices, 1.0).log()
    count = positive.sum(dim=0).clamp(min=1)
    time = epochs.double().reshape(-1, 1, 1)
    time = (time - (time * positive).sum(dim=0) / count) * positive
    # The centred times sum to 0, so the mean of ln error has no influence on the slope; it is subtracted all the same,
    # because large logarithms would lose digits in the sum.
    log_error = log_error - (log_error * positive).sum(dim=0) / count
    slope = (time * log_error).sum(dim=0) / time.square().sum(dim=0)
    return (0.0 - slope).where(positive.sum(dim=0) > 1, torch.nan)
