"""SAE as an estimator."""

from rezsl import models
from rezsl.estimators.closed_form_estimator import ClosedFormEstimator
from rezsl.semantics import ClassSemantics


class SAE(ClosedFormEstimator):
    """A linear autoencoder whose code is the semantics, classes by cosine; see :class:`rezsl.models.SAE`.

    Args:
        penalty: λ, the weight of the encoder beside the decoder, relative to the sizes of both; positive.
        scale: of the class scores, positive.
        gamma: γ of calibrated stacking: what the scores of classes in training lose; may be set after fitting.
    """

    def __init__(self, *, penalty: float = 10.0, scale: float = 20.0, gamma: float = 0.0) -> None:
        self.penalty = penalty
        self.scale = scale
        self.gamma = gamma

    def _network(self, feature_dim: int, semantics: ClassSemantics) -> models.SAE:
        return models.SAE(feature_dim, semantics, self.penalty)
