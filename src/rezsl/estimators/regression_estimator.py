"""What the estimators that learn semantics by a regression loss have in common."""

import inspect
from typing import TypeVar

import numpy as np
from torch import nn

from rezsl.estimators.gradient_estimator import GradientEstimator, Losses
from rezsl.losses import ClassificationLoss, CrossEntropyLoss, RegressionLoss, ReMSELoss
from rezsl.training.settings import Accelerator, Batches

Loss = TypeVar("Loss", bound=nn.Module)


class RegressionEstimator(GradientEstimator):
    """An estimator that minimises a classification loss on class scores + λ · a regression loss on semantics.

    Args:
        loss: the regression loss, or its class for one with default options; None trains without.
        loss_weight: λ, 0 or more.
        classification: the classification loss, or its class; None trains without.
        scale: for this and the other parameters see :class:`GradientEstimator`.
    """

    def __init__(
        self,
        *,
        loss: RegressionLoss | type[RegressionLoss] | None = ReMSELoss,
        loss_weight: float = 1.0,
        classification: ClassificationLoss | type[ClassificationLoss] | None = CrossEntropyLoss,
        scale: float = 20.0,
        gamma: float = 0.0,
        max_epochs: int = 20,
        learning_rate: float = 4e-3,
        weight_decay: float = 0.05,
        batches: Batches | None = None,
        accelerator: Accelerator = "auto",
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        super().__init__(
            scale=scale,
            gamma=gamma,
            max_epochs=max_epochs,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            batches=batches,
            accelerator=accelerator,
            random_state=random_state,
        )
        self.loss = loss
        self.loss_weight = loss_weight
        self.classification = classification

    def _losses(self) -> Losses:
        return Losses(_made(self.loss), self.loss_weight, _made(self.classification))


def _made(loss: Loss | type[Loss] | None) -> Loss | None:
    return loss() if inspect.isclass(loss) else loss
