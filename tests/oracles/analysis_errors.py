"""Unevenness, correlation, bins and fall of errors, in loops.

e_ks is the error of class k in attribute s, and A_ks the value of this attribute in the class semantics.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .imbalance import pearson

Floats = NDArray[np.float64]
Numbers = Sequence[float] | Floats


def quantile(numbers: Numbers, level: float) -> float:
    """Between the sorted numbers x_0 … x_(n-1), linear at position level * (n - 1); nan are left out."""
    ordered = sorted(float(x) for x in numbers if not math.isnan(x))
    if not ordered:
        return math.nan
    position = level * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


def mean(numbers: Numbers) -> float:
    """nan where there are none."""
    return math.fsum(float(x) for x in numbers) / len(numbers) if len(numbers) else math.nan


def deviation(numbers: Numbers) -> float:
    """Population standard deviation."""
    middle = mean(numbers)
    return math.sqrt(mean([(float(x) - middle) ** 2 for x in numbers]))


def gini(numbers: Numbers) -> float:
    """sum_ij |x_i - x_j| / (2 n^2 mean x); 0 if all are 0."""
    total = math.fsum(abs(float(x) - float(y)) for x in numbers for y in numbers)
    return total / (2 * len(numbers) ** 2 * mean(numbers)) if any(x > 0 for x in numbers) else 0.0


def ranks(numbers: Numbers) -> Floats:
    """1 + number of smaller ones + half the number of other equal ones."""
    return np.array([1 + sum(y < x for y in numbers) + (sum(y == x for y in numbers) - 1) / 2 for x in numbers])


def spearman(x: Floats, y: Floats) -> float:
    """Pearson of the ranks; nan if x or y is constant."""
    return pearson(ranks(x), ranks(y))


def resampled(numbers: Floats, times: Floats) -> Floats:
    """Each number repeated as often as it was drawn."""
    drawn = [x for x, count in zip(numbers, times, strict=True) for _ in range(int(count))]
    return np.array(drawn, dtype=np.float64)


class Interval(NamedTuple):
    """The middle `level` of some draws, nan left out."""

    low: float
    high: float


def interval(draws: Numbers, level: float) -> Interval:
    """Percentile interval."""
    return Interval(quantile(draws, (1 - level) / 2), quantile(draws, (1 + level) / 2))


class Bin(NamedTuple):
    """The cells of one bin."""

    size: int
    value: float
    mean: float
    quartiles: list[float]
    draws: list[float]


def value_bins(quantity: Floats, values: Floats, edges: Floats, weights: Floats) -> list[Bin]:
    """The cells (k, s) with edge_b < A_ks <= edge_(b+1), the first bin with its lower edge; nan quantities left out.

    The draws are the means over those cells, class k as often as `weights` [R, K] says.
    """
    bins = []
    for b in range(len(edges) - 1):
        cells = [
            (k, s)
            for k in range(len(values))
            for s in range(values.shape[1])
            if (edges[b] < values[k, s] <= edges[b + 1] or (b == 0 and values[k, s] == edges[0]))
            and not math.isnan(quantity[k, s])
        ]
        numbers = [float(quantity[cell]) for cell in cells]
        draws = []
        for times in weights:
            drawn = [float(quantity[k, s]) for k, s in cells for _ in range(int(times[k]))]
            draws.append(mean(drawn))
        quartiles = [quantile(numbers, level) for level in (0.25, 0.5, 0.75)]
        bins.append(Bin(len(cells), mean([float(values[cell]) for cell in cells]), mean(numbers), quartiles, draws))
    return bins


def fall_rate(errors: Numbers, epochs: Numbers) -> float:
    """Minus the least-squares slope of ln e over t, over the epochs with e > 0; nan with fewer than two of them."""
    points = [(float(t), math.log(e)) for e, t in zip(errors, epochs, strict=True) if e > 0]
    if len(points) < 2:
        return math.nan
    time, height = mean([t for t, _ in points]), mean([y for _, y in points])
    return -math.fsum((t - time) * (y - height) for t, y in points) / math.fsum((t - time) ** 2 for t, _ in points)


def holm(p_values: Sequence[float]) -> list[float]:
    """max over p_j <= p_i of min(1, (how many p_k >= p_j) * p_j), for p-values that all differ."""
    return [max(min(1.0, sum(r >= q for r in p_values) * q) for q in p_values if q <= p) for p in p_values]
