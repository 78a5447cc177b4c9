"""Metrics over a stream of batches, as classes of torchmetrics that also merge over processes."""

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from rezsl.functional import SeenUnseenCurve, curve_from_margins, seen_unseen_margins
from rezsl.functional.scoring import class_counts
from rezsl.functional.shapes import ClassMask, Labels, Predictions, Scores, check_labels, checked
from rezsl.functional.statistics import add_piece


class ClassError(Metric):
    """Mean error of each class in each attribute: the matrix whose cells ReMSE makes more equal.

    Args:
        num_classes: C; labels lie in ``[0, C)``.
        num_attributes: S.
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self, num_classes: int, num_attributes: int) -> None:
        super().__init__()
        self.add_state("total", torch.zeros(num_classes, num_attributes, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(num_classes, dtype=torch.int64), dist_reduce_fx="sum")

    @checked
    def update(self, errors: Predictions, labels: Labels) -> None:
        """Add a batch of errors ``[B, S]`` of samples with labels ``[B]``."""
        check_labels(labels, len(self.count))
        self.total.index_add_(0, labels, errors.double())
        self.count += class_counts(labels, len(self.count))

    def compute(self) -> Float[Tensor, "C S"]:
        """Return the matrix; a class without samples has NaN."""
        return self.total / self.count.unsqueeze(1)


class SeenUnseen(Metric):
    """Collect seen and unseen test samples batch by batch, in any order, and compute their exact curve.

    The state is 13 bytes per sample (margin, label, whether it is right) for any number of classes.

    Args:
        is_seen: which classes are seen, ``[C]``.
    """

    is_differentiable = False
    full_state_update = False
    is_seen: Tensor
    margin: list[Tensor]
    right: list[Tensor]
    label: list[Tensor]

    def __init__(self, is_seen: ClassMask) -> None:
        super().__init__()
        self.register_buffer("is_seen", is_seen, persistent=False)
        self._one_sided = bool(is_seen.all()) or not bool(is_seen.any())
        for name in ("margin", "right", "label"):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    @checked
    def update(self, scores: Scores, labels: Labels) -> None:
        """Add a batch of class scores ``[B, C]`` and true classes ``[B]``."""
        margin, right = seen_unseen_margins(scores, labels, self.is_seen)
        if self._one_sided:
            # Without a rival on the other side the classes win at every finite γ, so the margin is the largest number.
            margin = margin.nan_to_num(torch.nan)
        for state, piece in ((self.margin, margin), (self.right, right), (self.label, labels.to(torch.int32))):
            add_piece(state, piece)

    def compute(self) -> SeenUnseenCurve:
        """Return the curve of all samples so far; a side without samples is NaN.

        It is an ArgumentError if nothing has been added, or a score was not finite.
        """
        label = dim_zero_cat(self.label).long()
        return curve_from_margins(dim_zero_cat(self.margin), dim_zero_cat(self.right), label, self.is_seen)

    def class_accuracies(self, gamma: float) -> Float[Tensor, "C"]:
        """Return the accuracy of each class among all classes at a given γ, over all processes; NaN without samples.

        At γ = ∞ only unseen classes are chosen, so the mean of the accuracies of unseen classes is T1.
        """
        with self.sync_context(dist_sync_fn=self.dist_sync_fn):
            label = dim_zero_cat(self.label).long()
            seen_wins = dim_zero_cat(self.margin) > gamma
            right = dim_zero_cat(self.right) & torch.where(self.is_seen[label], seen_wins, ~seen_wins)
        count, of_right = (class_counts(label, len(self.is_seen), marked) for marked in (None, right))
        return of_right.double() / count
