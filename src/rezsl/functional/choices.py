"""Measures of choices beyond the accuracy: the k best classes, F1 of each class, and how far off a mistake is."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.errors import check_at_least
from rezsl.functional.scoring import class_accuracies
from rezsl.functional.shapes import Labels, Scores, check_labels, checked


@checked
def top_k_accuracies(scores: Scores, labels: Labels, k: int) -> tuple[Float[Tensor, "K"], Int[Tensor, "K"]]:
    """Compute, within each class that occurs in ``labels``, the share of samples whose class is among the k best.

    Of classes with equal scores the first counts as the better one.

    Args:
        scores: class scores, from which γ is subtracted already, ``[B, C]``.
        labels: true class of each sample, ``[B]``.
        k: at least 1.

    Returns:
        ``accuracy [K]`` in ``[0, 1]`` (float64) and ``classes [K]``, ascending, as :func:`class_accuracies` does.

    >>> scores = torch.tensor([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]])
    >>> top_k_accuracies(scores, torch.tensor([1, 2]), 2)
    (tensor([1., 0.], dtype=torch.float64), tensor([1, 2]))
    """
    return class_accuracies(torch.where(among_best(scores, labels, k), labels, -1), labels)


@checked
def among_best(scores: Scores, labels: Labels, k: int) -> Tensor:
    """Return whether the true class of each sample is among the k best, ``[B]``; see :func:`top_k_accuracies`."""
    check_at_least(1, k=k)
    check_labels(labels, scores.shape[1])
    own = scores.gather(1, labels.unsqueeze(1))
    earlier = torch.arange(scores.shape[1], device=scores.device) < labels.unsqueeze(1)
    return ((scores > own) | ((scores == own) & earlier)).sum(dim=1) < k


@checked
def class_f1(confusion: Int[Tensor, "C C"]) -> Float[Tensor, "C"]:
    """Compute F1 of each class, the harmonic mean of its precision and its recall (van Rijsbergen, 1979).

    F1_c = 2 n_cc / (Σ_j n_cj + Σ_i n_ic). Unlike the accuracy within a class, it also falls where samples of other
    classes are taken for this one.

    Args:
        confusion: number of samples of each class (row) that were recognised as each class (column), ``[C, C]``, as
            :func:`rezsl.functional.scoring.confusion_counts` counts them.

    Returns:
        F1 ``[C]`` in ``[0, 1]``, float64; NaN for a class without samples, which is not in the target.

    >>> class_f1(torch.tensor([[2, 0], [1, 1]]))
    tensor([0.8000, 0.6667], dtype=torch.float64)
    """
    return f1_of_counts(confusion.diagonal(), confusion.sum(dim=1), confusion.sum(dim=0))


@checked
def f1_of_choices(labels: Labels, chosen: Labels, classes: int) -> Float[Tensor, "C"]:
    """Compute :func:`class_f1` of samples by their true and their chosen class, without a matrix of all classes.

    >>> f1_of_choices(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 0, 1]), 2)
    tensor([0.8000, 0.6667], dtype=torch.float64)
    """
    parts = (labels[labels == chosen], labels, chosen)
    return f1_of_counts(*(torch.bincount(part, minlength=classes) for part in parts))


def f1_of_counts(right: Int[Tensor, "C"], truth: Int[Tensor, "C"], chosen: Int[Tensor, "C"]) -> Float[Tensor, "C"]:
    """Return F1 from the numbers of right samples, of samples, and of choices of each class."""
    return torch.where(truth > 0, 2 * right.double() / (truth + chosen), torch.nan)


@checked
def group_distances(groups: Int[Tensor, "C L"]) -> Float[Tensor, "C C"]:
    """Compute the distance of every two classes in a hierarchy of groups.

    It is the height of the lowest common group of the two classes, over the height of the hierarchy, as in Deng et al.
    (*What does classifying more than 10,000 image categories tell us?*, ECCV 2010). With one level of groups a mistake
    within the group costs one half, and a mistake between groups costs 1.

    Args:
        groups: number of the group of each class on each of L levels, from the coarsest to the finest, ``[C, L]``.
            Groups of equal numbers within different coarser groups are different ones.

    Returns:
        Distances ``[C, C]`` in ``[0, 1]``, float64, symmetric, 0 on the diagonal.

    >>> group_distances(torch.tensor([[0], [0], [1]]))
    tensor([[0.0000, 0.5000, 1.0000],
            [0.5000, 0.0000, 1.0000],
            [1.0000, 1.0000, 0.0000]], dtype=torch.float64)
    """
    return _distances(groups.unsqueeze(1), groups).fill_diagonal_(0.0)


@checked
def choice_distances(groups: Int[Tensor, "C L"], labels: Labels, chosen: Labels) -> Float[Tensor, "B"]:
    """Compute :func:`group_distances` of the true and the chosen class of samples, ``[B]``, float64.

    >>> choice_distances(torch.tensor([[0], [0], [1]]), torch.tensor([0, 0, 0]), torch.tensor([0, 1, 2]))
    tensor([0.0000, 0.5000, 1.0000], dtype=torch.float64)
    """
    return _distances(groups[labels], groups[chosen]).masked_fill(labels == chosen, 0.0)


def _distances(left: Int[Tensor, "... L"], right: Int[Tensor, "... L"]) -> Float[Tensor, "..."]:
    """Return the distances of different classes from their groups."""
    levels = left.shape[-1]
    shared = (left == right).to(torch.uint8).cumprod(dim=-1).sum(dim=-1)
    return (levels + 1 - shared).double() / (levels + 1)
