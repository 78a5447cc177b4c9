"""Weights by the density of labels, in loops.

N bins of equal width from the least to the greatest value of each attribute over the classes; density = samples in a bin.
inverse frequency: w = 1 / density, or 1 / sqrt(density).   LDS: the same of sum_b' k(b - b') density_b'.
Then w is divided, per attribute, by its mean over the samples.
"""

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tests.oracles.cell_errors import compared

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Kernel = Literal["gaussian", "triangular", "laplace"]


def bin_of(value: float, values: list[float], bins: int) -> int:
    low, high = min(values), max(values)
    if high == low:
        return 0
    return min(int((value - low) / ((high - low) / bins)), bins - 1)


def density(values: list[float], counts: Integers, bins: int) -> list[float]:
    samples = [0.0] * bins
    for value, count in zip(values, counts, strict=True):
        samples[bin_of(value, values, bins)] += float(count)
    return samples


def kernel_at(kernel: Kernel, x: int, reach: int, spread: float) -> float:
    if abs(x) > reach:
        return 0.0
    if kernel == "gaussian":
        return math.exp(-(x**2) / (2 * spread**2))
    if kernel == "laplace":
        return math.exp(-abs(x) / spread)
    return 1 - abs(x) / (reach + 1)


def class_weights(
    table: Floats, counts: Integers, bins: int, square_root: bool, smoothing: tuple[Kernel, int, float] | None
) -> Floats:
    """w_cs; ``smoothing`` is kernel, reach and spread."""
    weights = np.zeros(table.shape, dtype=np.float64)
    for s in range(table.shape[1]):
        values = [float(value) for value in table[:, s]]
        of_bin = density(values, counts, bins)
        if smoothing is not None:
            kernel, reach, spread = smoothing
            of_bin = [
                sum(kernel_at(kernel, b - other, reach, spread) * of_bin[other] for other in range(bins))
                for b in range(bins)
            ]
        column = [of_bin[bin_of(value, values, bins)] for value in values]
        column = [1 / math.sqrt(p) if square_root else 1 / p for p in column]
        mean = sum(w * int(n) for w, n in zip(column, counts, strict=True)) / int(counts.sum())
        weights[:, s] = [w / mean for w in column]
    return weights


def weighted_loss(
    prediction: Floats,
    table: Floats,
    labels: Integers,
    counts: Integers,
    *,
    normalize: bool,
    bins: int,
    square_root: bool,
    error: Literal["squared", "absolute"],
    smoothing: tuple[Kernel, int, float] | None = None,
) -> float:
    p, a = compared(prediction, table, normalize)
    weights = class_weights(a, counts, bins, square_root, smoothing)
    total = 0.0
    for i, label in enumerate(labels):
        for s in range(p.shape[1]):
            d = float(p[i, s] - a[label, s])
            total += float(weights[label, s]) * (d * d if error == "squared" else abs(d))
    return total / p.size
