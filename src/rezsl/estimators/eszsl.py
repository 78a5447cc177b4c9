"""ESZSL as an estimator."""

from rezsl import models
from rezsl.estimators.closed_form_estimator import ClosedFormEstimator
from rezsl.semantics import ClassSemantics


class ESZSL(ClosedFormEstimator):
    """A bilinear compatibility in closed form; see :class:`rezsl.models.ESZSL`.

    Args:
        feature_penalty: γ, relative to the size of the features, positive.
        semantic_penalty: λ, relative to the size of the class rows, positive.
        scale: of the class scores, positive.
        gamma: γ of calibrated stacking: what the scores of classes in training lose; may be set after fitting.
    """

    def __init__(
        self, *, feature_penalty: float = 0.3, semantic_penalty: float = 1.0, scale: float = 20.0, gamma: float = 0.0
    ) -> None:
        self.feature_penalty = feature_penalty
        self.semantic_penalty = semantic_penalty
        self.scale = scale
        self.gamma = gamma

    def _network(self, feature_dim: int, semantics: ClassSemantics) -> models.ESZSL:
        return models.ESZSL(feature_dim, semantics, self.feature_penalty, self.semantic_penalty)
