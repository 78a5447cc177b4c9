"""A read-out of the mean region with one hidden layer, whose features are smoothed over neighbouring labels."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rezsl.errors import ArgumentError
from rezsl.functional.label_bins import Kernel
from rezsl.functional.shapes import Pooled, Predictions
from rezsl.models._feature_statistics import FeatureStatistics
from rezsl.models._semantic_model import SemanticModel, TrainingOutput, pool
from rezsl.semantics import ClassSemantics


class SmoothedRegressor(SemanticModel, name="smoothed"):
    """Feature distribution smoothing (FDS): Â_s = ⟨W_s, dropout(z̃_s)⟩ + b_s with z = relu(W₁ · mean_r F_r + b₁).

    In training z̃_s is z calibrated in the bin of the true value of attribute s, by the statistics up to the last epoch,
    see :class:`rezsl.models._feature_statistics.FeatureStatistics`. Otherwise z̃_s = z. The reference makes an extra
    pass over the training samples for the statistics; here they are collected from the training batches.

    Args:
        region_dim: channels of a region or of a feature vector.
        semantics: the table whose S attributes are predicted.
        hidden_dim: D, width of the hidden layer; the statistics have 4 · S · bins · D numbers.
        dropout: share of hidden units that training switches off, in ``[0, 1)``.
        bins: per attribute, at least 1.
        kernel: shape of the kernel that smooths over the bins.
        reach: number of bins on either side in the smoothing.
        spread: width of ``gaussian`` and ``laplace``, in bins.
        momentum: weight of the old statistics at each epoch, in ``[0, 1)``.
    """

    whole_batches = True

    def __init__(
        self,
        region_dim: int,
        semantics: ClassSemantics,
        hidden_dim: int = 256,
        dropout: float = 0.5,
        bins: int = 20,
        kernel: Kernel = "gaussian",
        reach: int = 2,
        spread: float = 2.0,
        momentum: float = 0.9,
    ) -> None:
        super().__init__()
        if hidden_dim < 1 or not 0 <= dropout < 1:
            raise ArgumentError(
                f"hidden_dim and dropout: expected at least 1 and a share in [0, 1), got {hidden_dim} and {dropout}"
            )
        num_semantics = len(semantics.attributes)
        self.hidden = nn.Linear(region_dim, hidden_dim)
        self.statistics = FeatureStatistics(num_semantics, hidden_dim, bins, kernel, reach, spread, momentum)
        self.dropout = nn.Dropout(dropout)
        self.readout = nn.Linear(hidden_dim, num_semantics)

    def readout_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the last layer."""
        return [*self.readout.parameters()]

    def prepare(self, class_semantics: Float[Tensor, "K S"]) -> None:
        """Set the bins from the attributes of the classes in training."""
        self.statistics.prepare(class_semantics)

    def start_epoch(self) -> None:
        """Update and smooth the statistics."""
        self.statistics.start_epoch()

    def forward(self, regions: Pooled) -> Predictions:
        """Predict attributes, ``[B, R, D]`` or ``[B, D] -> [B, S]``, without calibration."""
        prediction: Tensor = self.readout(self.dropout(self.features(regions)))
        return prediction

    def features(self, regions: Pooled) -> Float[Tensor, "B H"]:
        """Compute the hidden layer."""
        hidden: Tensor = self.hidden(pool(regions)).relu()
        return hidden

    def training_forward(self, regions: Pooled, target: Predictions) -> TrainingOutput:
        """Predict from calibrated features, and add the features to the statistics."""
        features = self.features(regions)
        self.statistics.add(features, target)
        calibrated = self.dropout(self.statistics.calibrate(features, target))
        prediction = torch.einsum("bsd,sd->bs", calibrated, self.readout.weight.to(features.dtype)) + self.readout.bias
        return TrainingOutput(prediction, prediction.new_zeros(len(prediction)))
