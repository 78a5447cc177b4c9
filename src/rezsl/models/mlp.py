"""Read-outs with one hidden layer, of which one smooths the distribution of its features."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rezsl.errors import check_at_least, check_share
from rezsl.functional.binning import Kernel, LabelBins, label_bins, smoothing_matrix
from rezsl.functional.shapes import Pooled, Predictions
from rezsl.models._semantic_model import SemanticModel, TrainingOutput, pool
from rezsl.processes import gathered, sizes_of
from rezsl.semantics import ClassSemantics

LEAST_RATIO, MOST_RATIO = 0.1, 10.0
"""The range to which the ratio of variances is clipped."""


class MLPRegressor(SemanticModel, name="mlp"):
    """Â = W₂ · dropout(ρ(W₁ · mean_r F_r + b₁)) + b₂ with ρ(x) = max(x, negative_slope · x).

    BasicNet of Rebalanced Zero-shot Learning with a hidden layer is this model with ``dropout=0`` and
    ``negative_slope=0.1``; without one it is :class:`LinearRegressor`.

    Args:
        region_dim: D, channels of a region or of a feature vector.
        semantics: the table whose S attributes are predicted.
        hidden_dim: width of the hidden layer, at least 1.
        dropout: share of hidden units that training switches off, in ``[0, 1)``.
        negative_slope: slope of ρ below 0, in ``[0, 1)``; ρ is the ReLU at 0, and otherwise the leaky ReLU.
    """

    readout_parts: ClassVar[tuple[str, ...]] = ("readout",)

    def __init__(
        self,
        region_dim: int,
        semantics: ClassSemantics,
        hidden_dim: int = 1024,
        dropout: float = 0.8,
        negative_slope: float = 0.0,
    ) -> None:
        super().__init__()
        check_at_least(1, hidden_dim=hidden_dim)
        check_share(dropout=dropout, negative_slope=negative_slope)
        self.negative_slope = negative_slope
        self.hidden = nn.Linear(region_dim, hidden_dim)
        self.dropout = nn.Dropout(dropout)
        self.readout = nn.Linear(hidden_dim, len(semantics.attributes))

    def features(self, regions: Pooled) -> Float[Tensor, "B H"]:
        """Compute the hidden layer, ``[B, …, D] -> [B, H]``."""
        return nn.functional.leaky_relu(self.hidden(pool(regions)), self.negative_slope)

    def forward(self, regions: Pooled) -> Predictions:
        """Predict attributes, ``[B, …, D] -> [B, S]``."""
        prediction: Tensor = self.readout(self.dropout(self.features(regions)))
        return prediction


class SmoothedRegressor(MLPRegressor, name="smoothed"):
    """Feature distribution smoothing (FDS): Â_s = ⟨W_s, dropout(z̃_s)⟩ + b_s with z = relu(W₁ · mean_r F_r + b₁).

    In training z̃_s is z calibrated in the bin b of the true value of attribute s, by the statistics up to the last
    epoch. Otherwise z̃_s = z. For each channel and the samples of an epoch in a bin,

        μ_sb, v_sb = running mean and (biased) variance: momentum · old + (1 − momentum) · new
        μ̃_sb, ṽ_sb = Σ_b' k(b, b') (μ, v)_sb' / Σ_b' k(b, b'), over the bins b' with samples
        z̃ = (z − μ_sb) · √(ṽ_sb / v_sb clipped to [0.1, 10]) + μ̃_sb

    A channel with variance 0 is only shifted; a sample in a bin that is still empty is not changed. The reference code
    makes an extra pass over the training samples for the statistics; here they are collected from the training batches,
    which are gathered from all processes of a training.

    Args:
        hidden_dim: H, width of the hidden layer; the statistics have 4 · S · bins · H numbers.
        bins: N, bins per attribute, at least 1.
        kernel: shape of the kernel k, see :func:`rezsl.functional.binning.smoothing_matrix`.
        reach: number of bins on either side in the smoothing.
        spread: width of ``gaussian`` and ``laplace``, in bins.
        momentum: weight of the old statistics at each epoch, in ``[0, 1)``.
    """

    whole_batches = gathers_batches = True
    low: Float[Tensor, "S"]
    width: Float[Tensor, "S"]
    filled: Float[Tensor, "S N"]
    mean: Float[Tensor, "S N H"]
    variance: Float[Tensor, "S N H"]
    count: Float[Tensor, "S N"]
    total: Float[Tensor, "S N H"]
    squares: Float[Tensor, "S N H"]

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
        super().__init__(region_dim, semantics, hidden_dim, dropout)
        check_share(momentum=momentum)
        self.kernel, self.momentum, self.bins = smoothing_matrix(kernel, reach, spread, bins), momentum, bins
        size = (len(semantics.attributes), bins, hidden_dim)
        for names, dimensions in (("low width", 1), ("filled count", 2), ("mean variance total squares", 3)):
            for name in names.split():
                self.register_buffer(name, torch.zeros(size[:dimensions]))
        self._calibration: tuple[Float[Tensor, "S N H"], Float[Tensor, "S N H"]] | None = None

    def prepare(self, class_semantics: Float[Tensor, "K S"]) -> None:
        """Set the bins from the attributes of the classes in training."""
        bins = label_bins(class_semantics, self.bins)
        self.low, self.width = bins.low.to(self.low), bins.width.to(self.low)

    def training_forward(self, regions: Pooled, target: Predictions) -> TrainingOutput:
        """Predict from calibrated features, and add the features to the statistics."""
        features = self.features(regions)
        sizes = sizes_of(target)
        self.add(gathered(features.detach().to(self.total.dtype), sizes), gathered(target, sizes))
        calibrated = self.dropout(self.calibrate(features, target))
        prediction = torch.einsum("bsd,sd->bs", calibrated, self.readout.weight.to(features.dtype)) + self.readout.bias
        return TrainingOutput(prediction, prediction.new_zeros(len(prediction)))

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
        kernel = self.kernel.to(self.mean)
        filled = self.filled.unsqueeze(2)
        # The sums of a bin without samples within reach are 0, so any positive divisor will do.
        weight = (kernel @ filled).clamp(min=torch.finfo(kernel.dtype).tiny)
        mean, variance = (kernel @ (filled * part) / weight for part in (self.mean, self.variance))
        ratio = variance / torch.where(self.variance > 0, self.variance, 1.0)
        scale = torch.where(self.variance > 0, ratio.clamp(LEAST_RATIO, MOST_RATIO).sqrt(), 1.0)
        return torch.where(filled > 0, scale, 1.0), torch.where(filled > 0, mean - self.mean * scale, 0.0)

    def _bins(self) -> LabelBins:
        return LabelBins(self.low, self.width, self.bins)
