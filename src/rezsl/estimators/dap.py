"""DAP as an estimator."""

from rezsl import models
from rezsl.estimators.closed_form_estimator import ClosedFormEstimator
from rezsl.semantics import ClassSemantics


class DAP(ClosedFormEstimator):
    """A probability for each attribute, and of them one for each class; see :class:`rezsl.models.DAP`.

    Args:
        penalty: of the squared weights of the attributes' classifiers, positive.
        gamma: γ of calibrated stacking: what the scores of classes in training lose, which are logarithms of
            probabilities; may be set after fitting.
    """

    scale = 1.0  # Logarithms of probabilities have a scale of their own.

    def __init__(self, *, penalty: float = 0.03, gamma: float = 0.0) -> None:
        self.penalty = penalty
        self.gamma = gamma

    def _network(self, feature_dim: int, semantics: ClassSemantics) -> models.DAP:
        return models.DAP(feature_dim, semantics, self.penalty)
