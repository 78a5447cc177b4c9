"""From predicted semantics to class scores and class-averaged accuracies."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.functional.shapes import ClassMatrix, Labels, Predictions, Scores


def l2_normalize(rows: Float[Tensor, "*N S"]) -> Float[Tensor, "*N S"]:
    """Scale each row to Euclidean length 1; an all-zero row stays zero.

    Rows are divided by their largest magnitude first, so neither huge nor tiny rows overflow in the squares.
    The result does not depend on that magnitude, so leaving it out of the graph keeps the gradient exact.
    """
    peak = rows.detach().abs().amax(dim=-1, keepdim=True)
    rows = rows / torch.where(peak > 0, peak, 1.0)
    length = torch.linalg.vector_norm(rows, dim=-1, keepdim=True)
    return rows / torch.where(length > 0, length, 1.0)


def class_scores(predictions: Predictions, class_semantics: ClassMatrix, scale: float = 20.0) -> Scores:
    """Cosine between predicted semantics and each class's semantics, times ``scale``.

    Args:
        predictions: predicted semantics ``[B, S]``.
        class_semantics: one row per class, ``[C, S]``.
        scale: inverse temperature of the scores; the paper uses 20 (25 for SUN).

    Returns:
        Scores ``[B, C]`` in ``[-scale, scale]``.

    >>> class_scores(torch.tensor([[2.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 3.0]]))
    tensor([[20.,  0.]])
    """
    return scale * l2_normalize(predictions) @ l2_normalize(class_semantics.to(predictions.dtype)).T


def class_accuracies(predicted: Labels, target: Labels) -> tuple[Float[Tensor, "K"], Int[Tensor, "K"]]:
    """Accuracy within each class that occurs in ``target``.

    A class that is predicted but absent from ``target`` does not enter as a zero: that is where the "macro" averages
    of general libraries go wrong for zero-shot learning.

    Returns:
        ``accuracy [K]`` in ``[0, 1]`` (float64) and ``classes [K]``, ascending.

    >>> class_accuracies(torch.tensor([0, 5, 1]), torch.tensor([0, 0, 1]))
    (tensor([0.5000, 1.0000], dtype=torch.float64), tensor([0, 1]))
    """
    classes, position, count = torch.unique(target, return_inverse=True, return_counts=True)
    right = torch.zeros(len(classes), dtype=torch.float64, device=target.device)
    right.index_add_(0, position, (predicted == target).to(torch.float64))
    return right / count, classes
