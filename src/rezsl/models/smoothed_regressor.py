"""A read-out with one hidden layer and feature distribution smoothing (Yang et al., ICML 2021, section 3.2)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rezsl.errors import ArgumentError
from rezsl.functional.label_bins import Kernel, LabelBins, check_bins, check_kernel, label_bins, smoothing_matrix
from rezsl.functional.shapes import ClassMatrix, Pooled, Predictions
from rezsl.models._semantic_model import SemanticModel, TrainingOutput, pool
from rezsl.semantics import ClassSemantics

LEAST_RATIO, MOST_RATIO = 0.1, 10.0
"""The range to which the ratio of variances is clipped."""


class SmoothedRegressor(SemanticModel, name="smoothed"):
    """Feature distribution smoothing (FDS): Â_s = ⟨W_s, dropout(z̃_s)⟩ + b_s with z = relu(W₁ · mean_r F_r + b₁).

    In training z̃_s is z calibrated in the bin of the true value of attribute s, by the statistics up to the last epoch,
    see :class:`FeatureStatistics`. Otherwise z̃_s = z. The reference code makes an extra pass over the training samples
    for the statistics; here they are collected from the training batches.

    Args:
        region_dim: channels of a region or of a feature vector.
        semantics: the table whose S attributes are predicted.
        hidden_dim: H, width of the hidden layer; the statistics have 4 · S · bins · H numbers.
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


class FeatureStatistics(nn.Module):
    """Mean and variance of features in bins of each attribute's true value, and the calibration of features by them.

    For the samples of an epoch whose attribute s is in bin b, and each channel,

        μ_sb, v_sb = running mean and (biased) variance: momentum · old + (1 − momentum) · new
        μ̃_sb, ṽ_sb = Σ_b' k(b, b') (μ, v)_sb' / Σ_b' k(b, b'), over the bins b' with samples
        z̃ = (z − μ_sb) · √(ṽ_sb / v_sb clipped to [0.1, 10]) + μ̃_sb

    A channel with variance 0 is only shifted; a sample in a bin that is still empty is not changed.

    Args:
        num_semantics: S.
        channels: H, width of the features.
        bins: N per attribute, at least 1.
        kernel: shape of k, see :func:`rezsl.functional.label_bins.smoothing_matrix`.
        reach: number of bins on either side in the smoothing.
        spread: width of ``gaussian`` and ``laplace``, in bins.
        momentum: weight of the old statistics at each epoch, in ``[0, 1)``.
    """

    low: Float[Tensor, "S"]
    width: Float[Tensor, "S"]
    filled: Float[Tensor, "S N"]
    mean: Float[Tensor, "S N H"]
    variance: Float[Tensor, "S N H"]
    count: Float[Tensor, "S N"]
    total: Float[Tensor, "S N H"]
    squares: Float[Tensor, "S N H"]

    def __init__(
        self, num_semantics: int, channels: int, bins: int, kernel: Kernel, reach: int, spread: float, momentum: float
    ) -> None:
        super().__init__()
        check_bins(bins)
        check_kernel(kernel, reach, spread)
        if not 0 <= momentum < 1:
            raise ArgumentError(f"momentum: expected a number in [0, 1), got {momentum}")
        self.bins, self.kernel, self.reach, self.spread, self.momentum = bins, kernel, reach, spread, momentum
        for name in ("low", "width"):
            self.register_buffer(name, torch.zeros(num_semantics))
        for name in ("filled", "count"):
            self.register_buffer(name, torch.zeros(num_semantics, bins))
        for name in ("mean", "variance", "total", "squares"):
            self.register_buffer(name, torch.zeros(num_semantics, bins, channels))
        self._calibration: tuple[Float[Tensor, "S N H"], Float[Tensor, "S N H"]] | None = None

    def prepare(self, class_semantics: ClassMatrix) -> None:
        """Set the bins from the attributes of the classes in training, ``[K, S]``."""
        bins = label_bins(class_semantics, self.bins)
        self.low, self.width = bins.low.to(self.low), bins.width.to(self.low)

    @torch.no_grad()
    def add(self, features: Float[Tensor, "B H"], target: Predictions) -> None:
        """Add samples with the true attributes ``target``; they have an effect from the next epoch on."""
        features = features.to(self.total.dtype)
        place = nn.functional.one_hot(self._bins().bin_of(target), self.bins).to(features)
        with torch.autocast(features.device.type, enabled=False):
            self.count += place.sum(dim=0)
            self.total += torch.einsum("bsn,bd->snd", place, features)
            self.squares += torch.einsum("bsn,bd->snd", place, features.square())

    @torch.no_grad()
    def start_epoch(self) -> None:
        """Update the running statistics with the samples since the last epoch, and smooth them."""
        present = (self.count > 0).unsqueeze(2)
        number = self.count.clamp(min=1).unsqueeze(2)
        mean = self.total / number
        variance = (self.squares / number - mean.square()).clamp(min=0)
        old = torch.where(present, self.momentum * self.filled.unsqueeze(2), 1.0)
        self.mean, self.variance = torch.lerp(mean, self.mean, old), torch.lerp(variance, self.variance, old)
        self.filled = torch.maximum(self.filled, present.squeeze(2).to(self.filled))
        for part in (self.count, self.total, self.squares):
            part.zero_()
        self._calibration = self._calibrated() if bool(self.filled.any()) else None

    def calibrate(self, features: Float[Tensor, "B H"], target: Predictions) -> Float[Tensor, "B S H"]:
        """Return the calibrated features for each attribute, ``[B, S, H]``; differentiable."""
        if self._calibration is None:
            return features.unsqueeze(1).expand(-1, target.shape[1], -1)
        bins = self._bins().bin_of(target)
        semantics = torch.arange(target.shape[1], device=target.device)
        scale, shift = (part[semantics, bins].to(features.dtype) for part in self._calibration)
        return features.unsqueeze(1) * scale + shift

    def _calibrated(self) -> tuple[Float[Tensor, "S N H"], Float[Tensor, "S N H"]]:
        """Return scale and shift of the features in each bin."""
        kernel = smoothing_matrix(self.kernel, self.reach, self.spread, self.bins).to(self.mean)
        filled = self.filled.unsqueeze(2)
        # The sums of a bin without samples within reach are 0, so any positive divisor will do.
        weight = (kernel @ filled).clamp(min=torch.finfo(kernel.dtype).tiny)
        mean, variance = (kernel @ (filled * part) / weight for part in (self.mean, self.variance))
        ratio = variance / torch.where(self.variance > 0, self.variance, 1.0)
        scale = torch.where(self.variance > 0, ratio.clamp(LEAST_RATIO, MOST_RATIO).sqrt(), 1.0)
        return torch.where(filled > 0, scale, 1.0), torch.where(filled > 0, mean - self.mean * scale, 0.0)

    def _bins(self) -> LabelBins:
        return LabelBins(self.low, self.width, self.bins)
