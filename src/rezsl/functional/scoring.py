"""From predicted semantics to class scores and class-averaged accuracies.

Which class is chosen at a given γ, how surely, and how often one class is taken for another.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.functional.shapes import ClassMask, ClassMatrix, Labels, Predictions, Scores


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


def calibrated_choice(
    scores: Scores, is_seen: ClassMask, gamma: float
) -> tuple[Int[Tensor, "B"], Float[Tensor, "B"], Scores]:
    """The class that each sample is taken for among all classes, by the very rule of the seen-unseen curve.

    Args:
        scores: class scores ``[B, C]``.
        is_seen: which classes are seen, ``[C]``.
        gamma: γ, what seen classes lose.

    Returns:
        ``chosen [B]``, the ``confidence [B]`` that the softmax of the calibrated scores gives it, and those scores
        ``[B, C]`` (float64).
    """
    calibrated = scores.double() - gamma * is_seen
    seen_score, seen_class = scores.masked_fill(~is_seen, -torch.inf).max(dim=1)
    unseen_score, unseen_class = scores.masked_fill(is_seen, -torch.inf).max(dim=1)
    # Not the argmax of the calibrated scores, whose rounding could decide otherwise than γ < δ.
    chosen = torch.where(seen_score.double() - unseen_score.double() > gamma, seen_class, unseen_class)
    confidence = calibrated.softmax(dim=1).gather(1, chosen.unsqueeze(1)).squeeze(1)
    return chosen, confidence, calibrated


def confusion_counts(truth: Labels, chosen: Labels, classes: int) -> Int[Tensor, "C C"]:
    """How many samples of each class (row) were taken for each class (column).

    >>> confusion_counts(torch.tensor([0, 0, 1]), torch.tensor([1, 0, 1]), 2)
    tensor([[1, 1],
            [0, 1]])
    """
    return torch.bincount(truth * classes + chosen, minlength=classes**2).reshape(classes, classes)
