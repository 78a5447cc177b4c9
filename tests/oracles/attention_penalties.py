"""The regularisers of APN, and the losses on attention of GEM-Net's published code, in loops."""

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


def published_compactness(attention: Floats, height: int) -> float:
    """Mean over samples, attributes and cells of weight times squared distance to the peak, in cells."""
    width = attention.shape[2] // height
    total = 0.0
    for sample in attention:
        for row in sample:
            peak_i, peak_j = divmod(int(np.argmax(row)), width)
            for i in range(height):
                for j in range(width):
                    total += float(row[i * width + j]) * ((i - peak_i) ** 2 + (j - peak_j) ** 2)
    return total / attention.size


def published_decorrelation(queries: Floats, groups: list[int]) -> float:
    """Mean over groups of the mean over channels of the norm of the group's numbers."""
    means = []
    for group in sorted(set(groups)):
        norms = [math.hypot(*(x for x, g in zip(channel, groups, strict=True) if g == group)) for channel in queries.T]
        means.append(sum(norms) / len(norms))
    return sum(means) / len(means)


def published_peaks(attention: Floats, directions: Floats) -> float:
    """Mean over samples and attributes of (largest weight - attribute)^2; a class's row of attributes has length 1."""
    total = 0.0
    for sample, direction in zip(attention, directions, strict=True):
        for row, value in zip(sample, direction, strict=True):
            total += (max(float(weight) for weight in row) - float(value)) ** 2
    return total / directions.size
