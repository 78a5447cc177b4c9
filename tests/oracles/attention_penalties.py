"""The regularisers of APN, in loops."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def compactness(attention: Floats, height: int) -> list[float]:
    """For each sample: mean over attributes of the weighted squared distance to the peak, on a map of longest side 1."""
    width = attention.shape[2] // height
    longest = max(height - 1, width - 1, 1)
    result = []
    for sample in attention:
        total = 0.0
        for row in sample:
            peak_i, peak_j = divmod(int(np.argmax(row)), width)
            for i in range(height):
                for j in range(width):
                    squared = (i - peak_i) ** 2 + (j - peak_j) ** 2
                    total += float(row[i * width + j]) * squared / longest**2
        result.append(total / len(sample))
    return result


def decorrelation(readout: Floats, groups: list[int]) -> float:
    """Mean over channels of the sum over groups of the norm of the group's numbers."""
    total = 0.0
    for channel in readout.T:
        for group in set(groups):
            total += math.hypot(*(x for x, g in zip(channel, groups, strict=True) if g == group))
    return total / len(readout.T)
