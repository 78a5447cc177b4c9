"""The training objective: the only place where terms are summed."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rezsl.errors import ArgumentError
from rezsl.functional import class_scores
from rezsl.losses.regression_loss import RegressionLoss
from rezsl.typing import ClassMatrix, Labels, Predictions, Scalar


class ObjectiveTerms(NamedTuple):
    """The objective and its terms, before weighting."""

    total: Scalar
    classification: Scalar
    regression: Scalar


class Objective(nn.Module):
    """Cross-entropy over the classes in training + λ · regression loss.

    Args:
        class_semantics: semantics of the K classes in training, ``[K, S]``; labels count within them.
        loss: the regression loss, or None for cross-entropy alone.
        loss_weight: λ, 0 or more.
        scale: scale of the cosine scores.
    """

    class_semantics: Tensor

    def __init__(
        self, class_semantics: ClassMatrix, loss: RegressionLoss | None, loss_weight: float = 1.0, scale: float = 20.0
    ) -> None:
        super().__init__()
        if not 0 <= loss_weight < float("inf"):
            raise ArgumentError(f"loss_weight: expected a finite number of at least 0, got {loss_weight}")
        self.register_buffer("class_semantics", class_semantics, persistent=False)
        self.loss, self.loss_weight, self.scale = loss, loss_weight, scale

    def forward(self, prediction: Predictions, labels: Labels) -> ObjectiveTerms:
        """The terms for predictions ``[B, S]`` of samples with labels ``[B]`` in ``[0, K)``."""
        classification = F.cross_entropy(class_scores(prediction, self.class_semantics, self.scale), labels)
        if self.loss is None:
            return ObjectiveTerms(classification, classification, torch.zeros_like(classification))
        regression = self.loss(prediction, self.class_semantics[labels], labels)
        return ObjectiveTerms(classification + self.loss_weight * regression, classification, regression)
