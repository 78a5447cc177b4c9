"""Measures of the chosen classes in generalized zero-shot learning, over a stream of batches: torchmetrics classes."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchmetrics import Metric

from rezsl.functional.choices import among_best, choice_distances, f1_of_counts
from rezsl.functional.scoring import calibrated_choice, class_counts
from rezsl.functional.shapes import ClassMask, Labels, Scores, check_labels, checked


class TopKAccuracy(Metric):
    """Accuracy among the k best classes, averaged over the classes with samples, of each side by itself.

    The result is a dictionary with ``seen`` and ``unseen``, NaN without samples of that side, and ``harmonic_mean``;
    see :func:`rezsl.functional.choices.top_k_accuracies`.

    Args:
        is_seen: which classes are seen, ``[C]``; all of them where the task has no unseen classes.
        k: number of classes, at least 1.
        gamma: γ of calibrated stacking, which is subtracted from the scores of seen classes.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    is_seen: Tensor
    right: Tensor
    count: Tensor

    def __init__(self, is_seen: ClassMask, k: int = 5, gamma: float = 0.0) -> None:
        super().__init__()
        self.k, self.gamma = k, gamma
        self.register_buffer("is_seen", is_seen, persistent=False)
        for name in ("right", "count"):
            self.add_state(name, torch.zeros(len(is_seen), dtype=torch.int64), dist_reduce_fx="sum")

    @checked
    def update(self, scores: Scores, labels: Labels) -> None:
        """Add a batch of class scores ``[B, C]``, from which γ is not yet subtracted, and true classes ``[B]``."""
        hits = among_best(scores.double() - self.gamma * self.is_seen, labels, self.k)
        self.right += class_counts(labels, len(self.right), hits)
        self.count += class_counts(labels, len(self.count))

    def compute(self) -> dict[str, Tensor]:
        """Return the accuracies of both sides and their harmonic mean, in ``[0, 1]``."""
        accuracy = self.right.double() / self.count
        seen, unseen = accuracy[self.is_seen].nanmean(), accuracy[~self.is_seen].nanmean()
        both = torch.where(seen + unseen == 0, 0.0, 2 * seen * unseen / (seen + unseen))
        return {"seen": seen, "unseen": unseen, "harmonic_mean": both}


class ClassF1(Metric):
    """F1 of each class among all classes, ``[C]``, at a given γ; NaN for a class without samples.

    See :func:`rezsl.functional.choices.class_f1`.

    Args:
        is_seen: which classes are seen, ``[C]``.
        gamma: γ of calibrated stacking.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    is_seen: Tensor
    right: Tensor
    truth: Tensor
    chosen: Tensor

    def __init__(self, is_seen: ClassMask, gamma: float = 0.0) -> None:
        super().__init__()
        self.gamma, classes = gamma, len(is_seen)
        self.register_buffer("is_seen", is_seen, persistent=False)
        for name in ("right", "truth", "chosen"):
            self.add_state(name, torch.zeros(classes, dtype=torch.int64), dist_reduce_fx="sum")

    @checked
    def update(self, scores: Scores, labels: Labels) -> None:
        """Add a batch of class scores ``[B, C]``, from which γ is not yet subtracted, and true classes ``[B]``."""
        check_labels(labels, scores.shape[1])
        chosen, *_ = calibrated_choice(scores, self.is_seen, self.gamma)
        self.right += class_counts(labels, len(self.is_seen), labels == chosen)
        self.truth += class_counts(labels, len(self.is_seen))
        self.chosen += class_counts(chosen, len(self.is_seen))

    def compute(self) -> Float[Tensor, "C"]:
        """Return F1 of each class."""
        return f1_of_counts(self.right, self.truth, self.chosen)


class HierarchyError(Metric):
    """Mean distance of the chosen from the true class in a hierarchy of groups, averaged over the classes with samples.

    See :func:`rezsl.functional.choices.group_distances`.

    Args:
        groups: number of the group of each class on each level, from the coarsest to the finest, ``[C, L]``.
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    groups: Tensor
    total: Tensor
    count: Tensor

    def __init__(self, groups: Int[Tensor, "C L"]) -> None:
        super().__init__()
        self.register_buffer("groups", groups, persistent=False)
        self.add_state("total", torch.zeros(len(groups), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(len(groups), dtype=torch.int64), dist_reduce_fx="sum")

    @checked
    def update(self, chosen: Labels, labels: Labels) -> None:
        """Add a batch of chosen and of true classes, ``[B]`` each."""
        check_labels(labels, len(self.count))
        check_labels(chosen, len(self.count))
        self.total.index_add_(0, labels, choice_distances(self.groups, labels, chosen))
        self.count += class_counts(labels, len(self.count))

    def compute(self) -> Tensor:
        """Return the mean distance, in ``[0, 1]``; 0 where all choices are right."""
        return (self.total / self.count).nanmean()
