"""What every ranking loss on class scores has in common."""

import torch
from torch.nn import functional as F

from rezsl.errors import ArgumentError
from rezsl.functional.shapes import Labels, Scores
from rezsl.losses.classification_loss import ClassificationLoss


class RankingLoss(ClassificationLoss):
    """The right class should score higher than each other one by a margin.

    Its violations are h_ic = max(0, margin + s_ic − s_{i y_i}) for the classes c ≠ y_i in training.

    Args:
        margin: 0 or more, in units of the scores: those are cosines times ``scale``, 20 unless set otherwise.
    """

    def __init__(self, margin: float = 1.0) -> None:
        super().__init__()
        if not 0 <= margin < float("inf"):
            raise ArgumentError(f"margin: expected a finite number of at least 0, got {margin}")
        self.margin = margin

    def violations(self, scores: Scores, labels: Labels) -> Scores:
        """h, ``[B, K]``, 0 for the right class; half precision is compared in float32."""
        if scores.numel() == 0:
            raise ArgumentError(f"scores: expected at least one sample and class, got shape {tuple(scores.shape)}")
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        own = labels.unsqueeze(1)
        hinges = F.relu(self.margin + scores - scores.gather(1, own))
        return hinges.scatter(1, own, 0.0)

    def extra_repr(self) -> str:
        """The options, as PyTorch prints them: what a run's settings record."""
        return f"margin={self.margin}"
