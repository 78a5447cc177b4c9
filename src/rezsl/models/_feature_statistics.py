"""Feature distribution smoothing (Yang et al., Delving into Deep Imbalanced Regression, ICML 2021, section 3.2)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rezsl.errors import ArgumentError
from rezsl.functional.label_bins import Kernel, LabelBins, check_bins, check_kernel, label_bins, smoothing_matrix
from rezsl.functional.shapes import ClassMatrix, Predictions

LEAST_RATIO, MOST_RATIO = 0.1, 10.0


class FeatureStatistics(nn.Module):
    """Mean and variance of features by the bin of each semantic's true value, and the calibration that they give.

    Over the samples of an epoch whose semantic s lies in bin b, per channel,

        μ_sb, v_sb = mean and (biased) variance, taken into running ones: momentum · old + (1 − momentum) · new
        μ̃_sb, ṽ_sb = Σ_b' k(b, b') (μ, v)_sb' / Σ_b' k(b, b'), over the bins b' that any sample was in
        z̃ = (z − μ_sb) · √(ṽ_sb / v_sb clipped to [0.1, 10]) + μ̃_sb

    A channel of variance 0 is only shifted; a sample in a bin that is still empty stays as it is.

    Args:
        num_semantics: S.
        channels: D.
        bins: N per semantic, at least 1.
        kernel: shape of k, see :func:`rezsl.functional.label_bins.smoothing_matrix`.
        reach: bins to either side that count.
        spread: of ``gaussian`` and ``laplace``, in bins.
        momentum: what running statistics keep at each epoch, in ``[0, 1)``.
    """

    low: Float[Tensor, "S"]
    width: Float[Tensor, "S"]
    met: Float[Tensor, "S N"]
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
        for name in ("met", "count"):
            self.register_buffer(name, torch.zeros(num_semantics, bins))
        for name in ("mean", "variance", "total", "squares"):
            self.register_buffer(name, torch.zeros(num_semantics, bins, channels))
        self._calibration: tuple[Float[Tensor, "S N D"], Float[Tensor, "S N D"]] | None = None

    def prepare(self, class_semantics: ClassMatrix) -> None:
        """Lay the bins over the values of the classes in training, ``[K, S]``."""
        bins = label_bins(class_semantics, self.bins)
        self.low, self.width = bins.low.to(self.low), bins.width.to(self.low)

    @torch.no_grad()
    def add(self, features: Float[Tensor, "B D"], target: Predictions) -> None:
        """Count samples in, whose true semantics are ``target``; they show from the next epoch on."""
        features = features.to(self.total.dtype)
        place = nn.functional.one_hot(self._bins().bin_of(target), self.bins).to(features)
        with torch.autocast(features.device.type, enabled=False):
            self.count += place.sum(dim=0)
            self.total += torch.einsum("bsn,bd->snd", place, features)
            self.squares += torch.einsum("bsn,bd->snd", place, features.square())

    @torch.no_grad()
    def start_epoch(self) -> None:
        """Take the samples since the last epoch into the running statistics, and smooth those."""
        seen = (self.count > 0).unsqueeze(2)
        number = self.count.clamp(min=1).unsqueeze(2)
        mean = self.total / number
        variance = (self.squares / number - mean.square()).clamp(min=0)
        keep = torch.where(seen, self.momentum * self.met.unsqueeze(2), 1.0)
        self.mean, self.variance = torch.lerp(mean, self.mean, keep), torch.lerp(variance, self.variance, keep)
        self.met = torch.maximum(self.met, seen.squeeze(2).to(self.met))
        for part in (self.count, self.total, self.squares):
            part.zero_()
        self._calibration = self._calibrated() if bool(self.met.any()) else None

    def calibrate(self, features: Float[Tensor, "B D"], target: Predictions) -> Float[Tensor, "B S D"]:
        """The features as each semantic should see them; differentiable."""
        if self._calibration is None:
            return features.unsqueeze(1).expand(-1, target.shape[1], -1)
        bins = self._bins().bin_of(target)
        semantics = torch.arange(target.shape[1], device=target.device)
        scale, shift = (part[semantics, bins].to(features.dtype) for part in self._calibration)
        return features.unsqueeze(1) * scale + shift

    def _calibrated(self) -> tuple[Float[Tensor, "S N D"], Float[Tensor, "S N D"]]:
        """Scale and shift of the features in each bin."""
        kernel = smoothing_matrix(self.kernel, self.reach, self.spread, self.bins).to(self.mean)
        met = self.met.unsqueeze(2)
        # A bin that is out of reach of every sample: whatever it is divided by, nothing is in it.
        weight = (kernel @ met).clamp(min=torch.finfo(kernel.dtype).tiny)
        mean, variance = (kernel @ (met * part) / weight for part in (self.mean, self.variance))
        ratio = variance / torch.where(self.variance > 0, self.variance, 1.0)
        scale = torch.where(self.variance > 0, ratio.clamp(LEAST_RATIO, MOST_RATIO).sqrt(), 1.0)
        return torch.where(met > 0, scale, 1.0), torch.where(met > 0, mean - self.mean * scale, 0.0)

    def _bins(self) -> LabelBins:
        return LabelBins(self.low, self.width, self.bins)
