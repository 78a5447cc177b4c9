"""Which class is chosen at a given γ, how surely, and how often one class is taken for another."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.functional.shapes import ClassMask, Labels, Scores


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
