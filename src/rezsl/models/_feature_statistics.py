"""Feature distribution smoothing (Yang et al., Delving into Deep Imbalanced Regression, ICML 2021, section 3.2)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rezsl.errors import ArgumentError
from rezsl.functional.label_bins import Kernel, LabelBins, check_bins, check_kernel, label_bins, smoothing_matrix
from rezsl.functional.shapes import ClassMatrix, Predictions

LEAST_RATIO, MOST_RATIO = 0.1, 10.0


class FeatureStatistics(nn.Module):
    """Mean and variance of features in bins of each attribute's true value, and the calibration of features by them.

    For the samples of an epoch whose attribute s is in bin b, and each channel,

        μ_sb, v_sb = running mean and (biased) variance: momentum · old + (1 − momentum) · new
        μ̃_sb, ṽ_sb = Σ_b' k(b, b') (μ, v)_sb' / Σ_b' k(b, b'), over the bins b' with samples
        z̃ = (z − μ_sb) · √(ṽ_sb / v_sb clipped to [0.1, 10]) + μ̃_sb

    A channel with variance 0 is only shifted; a sample in a bin that is still empty is not changed.

    Args:
        num_semantics: S.
        channels: D.
        bins: N per attribute, at least 1.
        kernel: shape of k, see :func:`rezsl.functional.label_bins.smoothing_matrix`.
        reach: number of bins on either side in the smoothing.
        spread: width of ``gaussian`` and ``laplace``, in bins.
        momentum: weight of the old statistics at each epoch, in ``[0, 1)``.
    """

    low: Float[Tensor, "S"]
    width: Float[Tensor, "S"]
    filled: Float[Tensor, "S N"]
    mean: Float[Tensor, "S N D"]
    variance: Float[Tensor, "S N D"]
    count: Float[Tensor, "S N"]
    total: Float[Tensor, "S N D"]
    squares: Float[Tensor, "S N D"]

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
        self._calibration: tuple[Float[Tensor, "S N D"], Float[Tensor, "S N D"]] | None = None

    def prepare(self, class_semantics: ClassMatrix) -> None:
        """Set the bins from the attributes of the classes in training, ``[K, S]``."""
        bins = label_bins(class_semantics, self.bins)
        self.low, self.width = bins.low.to(self.low), bins.width.to(self.low)

    @torch.no_grad()
    def add(self, features: Float[Tensor, "B D"], target: Predictions) -> None:
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

    def calibrate(self, features: Float[Tensor, "B D"], target: Predictions) -> Float[Tensor, "B S D"]:
        """Return the calibrated features for each attribute, ``[B, S, D]``; differentiable."""
        if self._calibration is None:
            return features.unsqueeze(1).expand(-1, target.shape[1], -1)
        bins = self._bins().bin_of(target)
        semantics = torch.arange(target.shape[1], device=target.device)
        scale, shift = (part[semantics, bins].to(features.dtype) for part in self._calibration)
        return features.unsqueeze(1) * scale + shift

    def _calibrated(self) -> tuple[Float[Tensor, "S N D"], Float[Tensor, "S N D"]]:
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
