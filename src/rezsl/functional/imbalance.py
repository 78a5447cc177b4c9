"""The class error matrix, its rebalancing weights, and measures of how uneven it is and how fast it falls."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.errors import ArgumentError, check_not_negative
from rezsl.functional.binning import ValueBins
from rezsl.functional.shapes import Labels, Predictions, checked
from rezsl.functional.statistics import Correlations, column_blocks, pearson, quantiles

QUANTILE_LEVELS = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
"""The quantiles in an :class:`ErrorProfile`: those of a box plot, its whiskers and the extremes."""


@checked
def class_error_matrix(errors: Predictions, labels: Labels) -> tuple[Float[Tensor, "K S"], Int[Tensor, "K"]]:
    """Average the errors of each class, e_cs = mean over the samples i of class c of E_is.

    Return ``matrix [K, S]``, the mean error of each class that is present in ``labels``, and ``classes [K]``, those
    classes in ascending order. Errors ``[B, S]`` may be any non-negative measure; those in half precision are averaged
    in float32. The matrix has no gradient.

    >>> errors = torch.tensor([[1.0, 4.0], [3.0, 0.0], [5.0, 5.0]])
    >>> class_error_matrix(errors, torch.tensor([7, 7, 2]))
    (tensor([[5., 5.],
            [2., 2.]]), tensor([2, 7]))
    """
    classes, position, count = torch.unique(labels, return_inverse=True, return_counts=True)
    errors = errors.detach().to(torch.promote_types(errors.dtype, torch.float32))
    total = errors.new_zeros(len(classes), errors.shape[1]).index_add_(0, position, errors)
    return total / count.unsqueeze(1), classes


@checked
def rebalancing_weights(
    matrix: Float[Tensor, "K S"], class_power: float, semantic_power: float
) -> Float[Tensor, "K S"]:
    """Compute the weights of ReMSE, which grow with the logarithm of an error over the smallest comparable error.

    ``w_cs = (1 + ln(e_cs / min_c' e_c's))^class_power · (1 + ln(e_cs / min_s' e_cs'))^semantic_power``

    The minima are taken over cells with a positive error; a cell with error 0 has weight 1. The ratios are computed as
    differences of logarithms, so errors that differ by 60 orders of magnitude do not overflow. Weights are at least 1
    and have no gradient.

    Args:
        matrix: class error matrix e of the classes present, ``[K, S]``, non-negative.
        class_power: exponent of the comparison between classes (P in the reference code), at least 0; 0 disables it.
        semantic_power: the same between attributes (P2 in the reference code); an ArgumentError names a power that is
            negative or not finite.

    >>> rebalancing_weights(torch.tensor([[1.0, 1.0], [2.718281828, 0.0]]), class_power=1.0, semantic_power=0.0)
    tensor([[1., 1.],
            [2., 1.]])
    """
    check_not_negative(class_power=class_power, semantic_power=semantic_power)
    matrix = matrix.detach().to(torch.promote_types(matrix.dtype, torch.float32))
    if matrix.numel() == 0:
        return matrix
    positive = matrix > 0
    log_error = torch.where(positive, matrix, 1.0).log()
    candidates = log_error.masked_fill(~positive, float("inf"))
    over_classes = 1 + log_error - candidates.amin(dim=0, keepdim=True)
    over_semantics = 1 + log_error - candidates.amin(dim=1, keepdim=True)
    return torch.where(positive, over_classes**class_power * over_semantics**semantic_power, 1.0)


@dataclass(frozen=True, eq=False)
class ErrorProfile:
    """The distribution of the errors in each of N columns: of an attribute over classes, or of a class over attributes.

    Attributes:
        mean: mean error of each column, ``[N]``.
        spread: standard deviation of its errors (population form), ``[N]``.
        gini: Gini coefficient of its errors, ``[N]``: 0 where all errors are equal (also where all are 0), and close
            to 1 where one entry has the whole error.
        quantiles: quantiles of its errors at :data:`QUANTILE_LEVELS`, ``[N, Q]``, ascending.
    """

    mean: Float[Tensor, "N"]
    spread: Float[Tensor, "N"]
    gini: Float[Tensor, "N"]
    quantiles: Float[Tensor, "N Q"]

    @property
    def mean_of_means(self) -> float:
        """Mean over the columns of their mean error."""
        return float(self.mean.mean())

    @property
    def spread_of_means(self) -> float:
        """Standard deviation over the columns of their mean error (population form)."""
        return float(self.mean.std(correction=0))

    @property
    def gini_of_means(self) -> float:
        """Gini coefficient of the mean errors of the columns."""
        return float(gini(self.mean.unsqueeze(1)))

    def worst(self, count: int) -> Int[Tensor, "count"]:
        """Return the positions of the ``count`` highest mean errors, the highest first; all N if there are fewer."""
        return self.mean.argsort(descending=True, stable=True)[:count]

    def worst_mean(self, count: int) -> float:
        """Return the mean of the ``count`` highest mean errors."""
        return float(self.mean[self.worst(count)].mean())


@checked
def gini(matrix: Float[Tensor, "M N"]) -> Float[Tensor, "N"]:
    """Compute the Gini coefficient of each column of non-negative numbers, in ``[0, 1)``; 0 for a column of zeros.

    It is half the mean absolute difference between two entries over their mean, Σ_ij |x_i − x_j| / (2 M² x̄). With x in
    ascending order this equals Σ_i (2i − M − 1) x_i / (M Σ_i x_i), i = 1 … M.

    >>> gini(torch.tensor([[1.0, 0.0], [1.0, 4.0]]))
    tensor([0.0000, 0.5000])
    """
    count = len(matrix)
    # The entries are scaled by the largest, so that their sum neither overflows nor vanishes.
    peak = matrix.amax(dim=0)
    ascending = (matrix / torch.where(peak > 0, peak, 1.0)).sort(dim=0).values
    factor = 2 * torch.arange(1, count + 1, dtype=matrix.dtype, device=matrix.device) - count - 1
    total = ascending.sum(dim=0)
    return (factor @ ascending / (count * torch.where(total > 0, total, 1.0))).clamp(min=0.0)


@checked
def error_profile(matrix: Float[Tensor, "M N"]) -> ErrorProfile:
    """Compute the profile of each column of a matrix of errors ``[M, N]``, such as a class error matrix ``[K, S]``."""
    parts = [
        (part.mean(dim=0), part.std(dim=0, correction=0), gini(part), quantiles(part, QUANTILE_LEVELS).T)
        for (part,) in column_blocks(matrix)
    ]
    return ErrorProfile(*map(torch.cat, zip(*parts, strict=True)))


@dataclass(frozen=True, eq=False)
class Imbalance(ErrorProfile):
    """Imbalance of one class error matrix (section III-A of Rebalanced Zero-shot Learning).

    Attributes:
        correlation_over_classes: for each attribute, the Pearson correlation over classes between its value and its
            error, ``[S]``; NaN where either is constant.
        correlation_over_attributes: for each class, the same correlation over attributes, ``[K]``.
    """

    correlation_over_classes: Float[Tensor, "S"]
    correlation_over_attributes: Float[Tensor, "K"]

    @property
    def class_correlation(self) -> float:
        """Mean of ``correlation_over_classes`` where it is defined."""
        return float(self.correlation_over_classes.nanmean())

    @property
    def attribute_correlation(self) -> float:
        """Mean of ``correlation_over_attributes`` where it is defined."""
        return float(self.correlation_over_attributes.nanmean())


@checked
def imbalance(matrix: Float[Tensor, "K S"], class_semantics: Float[Tensor, "K S"]) -> Imbalance:
    """Compute the profile of the errors of each attribute, and their correlation with the attribute's values.

    ``matrix`` is a :func:`class_error_matrix`, and ``class_semantics`` are the attributes of the same classes.
    """
    return Imbalance(
        **vars(error_profile(matrix)),
        correlation_over_classes=pearson(class_semantics, matrix),
        correlation_over_attributes=pearson(class_semantics.T, matrix.T),
    )


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


@checked
def error_fall_rate(error_matrices: Float[Tensor, "E K S"], epochs: Float[Tensor, "E"]) -> Float[Tensor, "K S"]:
    """Compute the rate of fall in every cell from the class error matrix of each epoch; see :class:`ErrorFall`.

    Fewer than two epochs, epochs that do not ascend, and an error that is negative or not finite, are ArgumentErrors.

    >>> error_fall_rate(torch.tensor([1.0, 0.5, 0.25]).log().exp().reshape(3, 1, 1), torch.tensor([0.0, 1.0, 2.0]))
    tensor([[0.6931]], dtype=torch.float64)
    """
    if len(epochs) < 2:
        raise ArgumentError(
            f"error_matrices: expected those of at least two epochs, got {len(epochs)}; measure another epoch"
        )
    if not bool((epochs.diff() > 0).all() & epochs.isfinite().all()):
        raise ArgumentError(f"epochs: expected finite numbers in ascending order, got {epochs.tolist()}")
    if not bool(((error_matrices >= 0) & error_matrices.isfinite()).all()):
        raise ArgumentError(
            "error_matrices: expected finite errors of at least 0, got a negative or non-finite one"
            "; compute them from finite predictions"
        )
    matrices = error_matrices.double()
    positive = matrices > 0
    log_error = torch.where(positive, matrices, 1.0).log()
    count = positive.sum(dim=0).clamp(min=1)
    time = epochs.double().reshape(-1, 1, 1)
    time = (time - (time * positive).sum(dim=0) / count) * positive
    # The centered times sum to 0, so the mean of ln error has no influence on the slope; it is subtracted all the same,
    # because large logarithms would lose digits in the sum.
    log_error = log_error - (log_error * positive).sum(dim=0) / count
    slope = (time * log_error).sum(dim=0) / time.square().sum(dim=0)
    return (0.0 - slope).where(positive.sum(dim=0) > 1, torch.nan)
