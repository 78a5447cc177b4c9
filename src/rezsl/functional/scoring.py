"""Class scores from predicted attributes, the chosen class at a given γ, and class-averaged accuracies."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.functional.shapes import ClassMask, ClassMatrix, Labels, Predictions, Scores


def l2_normalize(rows: Float[Tensor, "*N S"]) -> Float[Tensor, "*N S"]:
    """Scale each row ``[…, S]`` to Euclidean length 1; a row of zeros stays zero.

    Rows are divided by their largest magnitude first, so that the squares of huge or tiny rows neither overflow nor
    vanish. The result does not depend on that magnitude, so the gradient is exact although it is left out of the graph.
    """
    peak = rows.detach().abs().amax(dim=-1, keepdim=True)
    rows = rows / torch.where(peak > 0, peak, 1.0)
    length = torch.linalg.vector_norm(rows, dim=-1, keepdim=True)
    return rows / torch.where(length > 0, length, 1.0)


def class_scores(predictions: Predictions, class_semantics: ClassMatrix, scale: float = 20.0) -> Scores:
    """Compute the cosine between predicted attributes and the attributes of each class, times ``scale``.

    Args:
        predictions: predicted attributes, ``[B, S]``.
        class_semantics: attributes of each class, ``[C, S]``.
        scale: inverse temperature of the scores; the paper (Rebalanced Zero-shot Learning) uses 20, and 25 for SUN.

    Returns:
        Scores ``[B, C]`` in ``[-scale, scale]``.

    >>> class_scores(torch.tensor([[2.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 3.0]]))
    tensor([[20.,  0.]])
    """
    return scale * l2_normalize(predictions) @ l2_normalize(class_semantics.to(predictions.dtype)).T


def class_accuracies(predicted: Labels, target: Labels) -> tuple[Float[Tensor, "K"], Int[Tensor, "K"]]:
    """Compute the accuracy within each class that occurs in ``target``.

    A class that is predicted but absent from ``target`` is left out. The "macro" averages of general libraries count it
    as 0, which is wrong for zero-shot learning.

    Args:
        predicted: predicted class of each sample, ``[B]``.
        target: true class of each sample, ``[B]``.

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
    """Choose a class for each sample among all classes, by the same rule as the seen-unseen curve.

    This is calibrated stacking (Chao et al., ECCV 2016): γ is subtracted from the scores of seen classes.

    Args:
        scores: class scores, ``[B, C]``.
        is_seen: whether each class is seen, ``[C]``.
        gamma: γ, in units of the scores.

    Returns:
        The chosen class ``[B]``, its probability by the softmax of the calibrated scores ``[B]``, and the calibrated
        scores ``[B, C]`` (float64).
    """
    calibrated = scores.double() - gamma * is_seen
    seen_score, seen_class = scores.masked_fill(~is_seen, -torch.inf).max(dim=1)
    unseen_score, unseen_class = scores.masked_fill(is_seen, -torch.inf).max(dim=1)
    # The argmax of the calibrated scores is not used: their rounding could contradict the rule γ < δ of the curve.
    chosen = torch.where(seen_score.double() - unseen_score.double() > gamma, seen_class, unseen_class)
    confidence = calibrated.softmax(dim=1).gather(1, chosen.unsqueeze(1)).squeeze(1)
    return chosen, confidence, calibrated


def confusion_counts(truth: Labels, chosen: Labels, classes: int) -> Int[Tensor, "C C"]:
    """Count the samples of each true class (row) for which each class (column) was chosen, ``[C, C]``.

    >>> confusion_counts(torch.tensor([0, 0, 1]), torch.tensor([1, 0, 1]), 2)
    tensor([[1, 1],
            [0, 1]])
    """
    return torch.bincount(truth * classes + chosen, minlength=classes**2).reshape(classes, classes)
