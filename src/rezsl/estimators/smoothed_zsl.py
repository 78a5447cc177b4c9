"""A regression of semantics from smoothed features as an estimator."""

import numpy as np

from rezsl.estimators.regression_estimator import RegressionEstimator
from rezsl.functional.label_bins import Kernel
from rezsl.losses import ClassificationLoss, CrossEntropyLoss, MSELoss, RegressionLoss
from rezsl.models import SmoothedRegressor
from rezsl.semantics import ClassSemantics
from rezsl.training.settings import Accelerator, Batches


class SmoothedZSL(RegressionEstimator):
    """Semantics by a network with one hidden layer that is smoothed over neighbouring labels (FDS), classes by cosine.

    Args:
        hidden_dim: width of the hidden layer.
        dropout: share of hidden units switched off in training, in ``[0, 1)``.
        bins: per semantic, at least 1; for this and the next four see :class:`rezsl.models.SmoothedRegressor`.
        kernel: what smooths over the bins.
        reach: bins to either side that count.
        spread: of ``gaussian`` and ``laplace``, in bins.
        momentum: what running statistics keep at each epoch, in ``[0, 1)``.
        loss: for this and the other parameters see :class:`RegressionEstimator`.
    """

    def __init__(
        self,
        *,
        hidden_dim: int = 256,
        dropout: float = 0.5,
        bins: int = 20,
        kernel: Kernel = "gaussian",
        reach: int = 2,
        spread: float = 2.0,
        momentum: float = 0.9,
        loss: RegressionLoss | type[RegressionLoss] | None = MSELoss,
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
        self.bins = bins
        self.kernel = kernel
        self.reach = reach
        self.spread = spread
        self.momentum = momentum

    def _network(self, feature_dim: int, semantics: ClassSemantics) -> SmoothedRegressor:
        return SmoothedRegressor(
            feature_dim,
            semantics,
            self.hidden_dim,
            self.dropout,
            self.bins,
            self.kernel,
            self.reach,
            self.spread,
            self.momentum,
        )
