"""The training objective: the only place where terms are summed."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rezsl.errors import ArgumentError
from rezsl.functional import class_scores
from rezsl.functional.shapes import ClassMatrix, Labels, Predictions, Scalar, Scores
from rezsl.losses.classification_loss import ClassificationLoss
from rezsl.losses.cross_entropy import CrossEntropyLoss
from rezsl.losses.regression_loss import RegressionLoss

ScoreFunction = Callable[[Predictions, ClassMatrix, float], Scores]

CROSS_ENTROPY = CrossEntropyLoss()


class ObjectiveTerms(NamedTuple):
    """The objective and its terms, before weighting."""

    total: Scalar
    classification: Scalar
    regression: Scalar
    penalty: Scalar


class Objective(nn.Module):
    """Classification loss over the classes in training + λ · regression loss + the model's own penalty.

    Args:
        class_semantics: semantics of the K classes in training, ``[K, S]``; labels count within them.
        loss: the regression loss, or None for none.
        loss_weight: λ, 0 or more.
        scale: scale of the class scores.
        classification: the loss on class scores; None leaves the regression loss alone.
        score: from predictions ``[B, S]``, class semantics ``[K, S]`` and ``scale`` to class scores ``[B, K]``; by
            default their cosine.
    """

    class_semantics: Tensor

    def __init__(
        self,
        class_semantics: ClassMatrix,
        loss: RegressionLoss | None,
        loss_weight: float = 1.0,
        scale: float = 20.0,
        classification: ClassificationLoss | None = CROSS_ENTROPY,
        score: ScoreFunction = class_scores,
    ) -> None:
        super().__init__()
        if not 0 <= loss_weight < float("inf"):
            raise ArgumentError(f"loss_weight: expected a finite number of at least 0, got {loss_weight}")
        self.register_buffer("class_semantics", class_semantics, persistent=False)
        if loss is None and classification is None:
            raise ArgumentError("loss, classification: expected at least one of them, got none")
        self.loss, self.loss_weight, self.scale = loss, loss_weight, scale
        self.classification, self.score = classification, score

    def forward(
        self, prediction: Predictions, labels: Labels, penalty: Float[Tensor, "B"] | None = None
    ) -> ObjectiveTerms:
        """The terms for predictions ``[B, S]`` of samples with labels ``[B]`` in ``[0, K)``, and their penalties."""
        classification = regression = own = torch.zeros((), device=prediction.device)
        if self.classification is not None:
            classification = self.classification(self.score(prediction, self.class_semantics, self.scale), labels)
        if self.loss is not None:
            regression = self.loss(prediction, self.class_semantics[labels], labels)
        if penalty is not None:
            own = penalty.mean()
        total = classification + self.loss_weight * regression + own
        return ObjectiveTerms(total, classification, regression, own)
