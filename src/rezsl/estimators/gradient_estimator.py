"""What the estimators trained by gradient descent have in common."""

from abc import abstractmethod
from typing import NamedTuple

import numpy as np

from rezsl.estimators.zero_shot_estimator import ZeroShotEstimator
from rezsl.losses import ClassificationLoss, RegressionLoss
from rezsl.training.optimization import Optimization
from rezsl.training.settings import Accelerator, Batches, Training


class Losses(NamedTuple):
    """The terms of an objective: the regression loss, its weight, and the loss on class scores."""

    regression: RegressionLoss | None
    weight: float
    classification: ClassificationLoss | None


class GradientEstimator(ZeroShotEstimator):
    """An estimator that :func:`rezsl.fit`'s own training stage trains, for a given number of epochs.

    Args:
        scale: of the class scores, positive.
        gamma: γ of calibrated stacking: what the scores of classes in training lose; may be set after fitting.
        max_epochs: how long it trains, at least 1; the learning rate's schedule is laid over it.
        learning_rate: the highest rate of the schedule.
        weight_decay: of AdamW, on weight matrices.
        batches: how samples are drawn into batches; None draws class episodes, as :func:`rezsl.fit` does.
        accelerator: where to train; ``auto`` takes a GPU if there is one.
        random_state: fixes the weights on a CPU; None draws a seed from numpy's global generator.
    """

    def __init__(
        self,
        *,
        scale: float = 20.0,
        gamma: float = 0.0,
        max_epochs: int = 20,
        learning_rate: float = 4e-3,
        weight_decay: float = 0.05,
        batches: Batches | None = None,
        accelerator: Accelerator = "auto",
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.scale = scale
        self.gamma = gamma
        self.max_epochs = max_epochs
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batches = batches
        self.accelerator = accelerator
        self.random_state = random_state

    @abstractmethod
    def _losses(self) -> Losses:
        """What is minimised."""

    def _training(self, seed: int) -> Training:
        losses = self._losses()
        return Training(
            loss=losses.regression,
            loss_weight=losses.weight,
            classification=losses.classification,
            optimization=Optimization(learning_rate=self.learning_rate, weight_decay=self.weight_decay),
            batches=self.batches if self.batches is not None else Batches(),
            augmentation=None,
            max_epochs=self.max_epochs,
            seed=seed,
            accelerator=self.accelerator,
        )
