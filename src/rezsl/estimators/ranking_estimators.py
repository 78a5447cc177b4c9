"""ALE, DeViSE and SJE as estimators: one bilinear compatibility, three losses."""

from typing import ClassVar

import numpy as np

from rezsl.estimators.gradient_estimator import GradientEstimator, Losses
from rezsl.losses import ALELoss, DeViSELoss, RankingLoss, SJELoss
from rezsl.models import Bilinear
from rezsl.semantics import ClassSemantics
from rezsl.training.settings import Accelerator, Batches


class RankingEstimator(GradientEstimator):
    """A bilinear compatibility under a ranking loss; see :class:`rezsl.models.Bilinear`.

    Args:
        margin: by which the right class should win, 0 or more, in units of the scores that ``scale`` has multiplied.
        scale: for this and the other parameters see :class:`GradientEstimator`.
    """

    ranking_loss: ClassVar[type[RankingLoss]]

    def __init__(
        self,
        *,
        margin: float = 1.0,
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
        self.margin = margin

    def _network(self, feature_dim: int, semantics: ClassSemantics) -> Bilinear:
        return Bilinear(feature_dim, semantics)

    def _losses(self) -> Losses:
        return Losses(None, 0.0, self.ranking_loss(self.margin))


class ALE(RankingEstimator):
    """Every class that ranks too high counts, less where there are many; see :class:`rezsl.losses.ALELoss`."""

    ranking_loss = ALELoss


class DeViSE(RankingEstimator):
    """Every class that ranks too high counts; see :class:`rezsl.losses.DeViSELoss`."""

    ranking_loss = DeViSELoss


class SJE(RankingEstimator):
    """Only the worst rival counts; see :class:`rezsl.losses.SJELoss`."""

    ranking_loss = SJELoss
