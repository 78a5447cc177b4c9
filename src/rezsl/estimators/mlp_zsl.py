"""A regression of semantics with one hidden layer as an estimator."""

import numpy as np

from rezsl.estimators.regression_estimator import RegressionEstimator
from rezsl.losses import ClassificationLoss, CrossEntropyLoss, RegressionLoss, ReMSELoss
from rezsl.models import MLPRegressor
from rezsl.semantics import ClassSemantics
from rezsl.training.settings import Accelerator, Batches


class MLPZSL(RegressionEstimator):
    """Semantics by a network with one hidden layer, classes by cosine.

    Args:
        hidden_dim: width of the hidden layer.
        dropout: share of hidden units switched off in training, in ``[0, 1)``.
        loss: for this and the other parameters see :class:`RegressionEstimator`.
    """

    def __init__(
        self,
        *,
        hidden_dim: int = 1024,
        dropout: float = 0.8,
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
            loss=loss,
            loss_weight=loss_weight,
            classification=classification,
            scale=scale,
            gamma=gamma,
            max_epochs=max_epochs,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            batches=batches,
            accelerator=accelerator,
            random_state=random_state,
        )
        self.hidden_dim = hidden_dim
        self.dropout = dropout

    def _network(self, feature_dim: int, semantics: ClassSemantics) -> MLPRegressor:
        return MLPRegressor(feature_dim, semantics, self.hidden_dim, self.dropout)
