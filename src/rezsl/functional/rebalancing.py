"""The rebalancing weights of ReMSE (Rebalanced Zero-shot Learning, IEEE TIP 2023, section III)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.errors import check_not_negative
from rezsl.functional.shapes import Labels, Predictions


def class_error_matrix(errors: Predictions, labels: Labels) -> tuple[Float[Tensor, "K S"], Int[Tensor, "K"]]:
    """Average the errors of each class, e_cs = mean over the samples i of class c of E_is.

    Args:
        errors: error E of every sample in every attribute, ``[B, S]``; any non-negative measure.
        labels: class index of every sample, ``[B]``.

    Returns:
        ``matrix [K, S]``, the mean error of each class that is present in ``labels``, and ``classes [K]``, those
        classes in ascending order. Half precision is averaged in float32. The matrix has no gradient.

    >>> errors = torch.tensor([[1.0, 4.0], [3.0, 0.0], [5.0, 5.0]])
    >>> class_error_matrix(errors, torch.tensor([7, 7, 2]))
    (tensor([[5., 5.],
            [2., 2.]]), tensor([2, 7]))
    """
    classes, position, count = torch.unique(labels, return_inverse=True, return_counts=True)
    errors = errors.detach().to(torch.promote_types(errors.dtype, torch.float32))
    total = errors.new_zeros(len(classes), errors.shape[1]).index_add_(0, position, errors)
    return total / count.unsqueeze(1), classes


def rebalancing_weights(
    matrix: Float[Tensor, "K S"], class_power: float, semantic_power: float
) -> Float[Tensor, "K S"]:
    """Compute the weights of ReMSE, which grow with the logarithm of an error over the smallest comparable error.

    ``w_cs = (1 + ln(e_cs / min_c' e_c's))^class_power · (1 + ln(e_cs / min_s' e_cs'))^semantic_power``

    The minima are taken over cells with a positive error; a cell with error 0 has weight 1. The ratios are computed as
    differences of logarithms, so errors that differ by 60 orders of magnitude do not overflow.

    Args:
        matrix: class error matrix e of the classes present, ``[K, S]``, non-negative.
        class_power: exponent of the comparison between classes (P in the reference code), at least 0; 0 disables it.
        semantic_power: exponent of the comparison between attributes (P2 in the reference code), at least 0; 0
            disables it.

    Returns:
        Weights ``[K, S]``, all at least 1, without gradient.

    Raises:
        ArgumentError: a power is negative or not finite.

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
