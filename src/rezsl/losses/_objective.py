"""The training objective, in which all terms are summed."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rezsl.errors import ArgumentError, check_not_negative
from rezsl.functional import class_scores
from rezsl.functional.shapes import ClassMatrix, ClassVectors, Labels, Outputs, Predictions, Scalar, Scores
from rezsl.losses._loss import ClassificationLoss, RegressionLoss
from rezsl.losses.classification import CrossEntropyLoss

ScoreFunction = Callable[[Outputs, ClassVectors], Scores]

CROSS_ENTROPY = CrossEntropyLoss()


class ObjectiveTerms(NamedTuple):
    """The objective, and its terms before they are weighted."""

    total: Scalar
    classification: Scalar
    regression: Scalar
    penalty: Scalar


class Objective(nn.Module):
    """L = classification loss over the training classes + λ · regression loss + mean penalty of the model.

    Args:
        class_semantics: attributes of the K training classes, ``[K, S]``; labels are rows of it.
        loss: the regression loss, or None for none.
        loss_weight: λ, 0 or more.
        classification: the loss on class scores, or None for none.
        score: function from outputs ``[B, E]`` and class vectors ``[K, V]`` to class scores ``[B, K]``; by default
            cosine × 20.
        class_vectors: what ``score`` compares outputs with, ``[K, V]``; None takes the class semantics.
        attributes_of: function from outputs to predicted attributes ``[B, S]``; None takes the outputs themselves.
    """

    class_semantics: Tensor
    class_vectors: Tensor

    def __init__(
        self,
        class_semantics: ClassMatrix,
        loss: RegressionLoss | None,
        loss_weight: float = 1.0,
        classification: ClassificationLoss | None = CROSS_ENTROPY,
        score: ScoreFunction = class_scores,
        class_vectors: ClassVectors | None = None,
        attributes_of: Callable[[Outputs], Predictions] | None = None,
    ) -> None:
        super().__init__()
        check_not_negative(loss_weight=loss_weight)
        self.register_buffer("class_semantics", class_semantics, persistent=False)
        vectors = class_semantics if class_vectors is None else class_vectors
        self.register_buffer("class_vectors", vectors, persistent=False)
        if loss is None and classification is None:
            raise ArgumentError("loss, classification: expected at least one of them, got none; give one")
        self.loss, self.loss_weight = loss, loss_weight
        self.classification, self.score = classification, score
        self.attributes_of = attributes_of or nn.Identity()

    def forward(self, prediction: Outputs, labels: Labels, penalty: Float[Tensor, "B"] | None = None) -> ObjectiveTerms:
        """Return the terms for outputs ``[B, E]``, labels ``[B]`` in ``[0, K)`` and penalties of samples."""
        classification = regression = own = torch.zeros((), device=prediction.device)
        if self.classification is not None:
            classification = self.classification(self.score(prediction, self.class_vectors), labels)
        if self.loss is not None:
            regression = self.loss(self.attributes_of(prediction), self.class_semantics[labels], labels)
        if penalty is not None:
            own = penalty.mean()
        total = classification + self.loss_weight * regression + own
        return ObjectiveTerms(total, classification, regression, own)
