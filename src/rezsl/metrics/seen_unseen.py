"""The exact seen-unseen curve, streamed."""

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from rezsl.functional import SeenUnseenCurve, curve_from_margins, seen_unseen_margins
from rezsl.functional.shapes import ClassMask, Labels, Scores


class SeenUnseen(Metric):
    """Collects seen and unseen test samples batch by batch, in any order, and gives their exact curve.

    Keeps 13 bytes per sample (margin, label, whether it is right), however many classes there are.

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
        for name in ("margin", "right", "label"):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, scores: Scores, labels: Labels) -> None:
        """Add a batch of class scores ``[B, C]`` and true classes ``[B]``."""
        margin, right = seen_unseen_margins(scores, labels, self.is_seen)
        self.margin.append(margin)
        self.right.append(right)
        self.label.append(labels.to(torch.int32))

    def compute(self) -> SeenUnseenCurve:
        """The curve of everything added so far; NaN on a side of which no sample has been added.

        Raises:
            ArgumentError: nothing has been added, or a score was not finite.
        """
        label = dim_zero_cat(self.label).long()
        return curve_from_margins(dim_zero_cat(self.margin), dim_zero_cat(self.right), label, self.is_seen)

    def class_accuracies(self, gamma: float) -> Float[Tensor, "C"]:
        """Accuracy of each class among all classes at a given γ, over all processes; NaN where none has occurred."""
        with self.sync_context(dist_sync_fn=self.dist_sync_fn):
            label = dim_zero_cat(self.label).long()
            wins = dim_zero_cat(self.margin) > gamma
            right = dim_zero_cat(self.right) & torch.where(self.is_seen[label], wins, ~wins)
        count = torch.bincount(label, minlength=len(self.is_seen))
        return torch.bincount(label[right], minlength=len(self.is_seen)).double() / count
