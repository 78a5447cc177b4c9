"""Directions, their Gaussian with a full covariance matrix, and the likelihood at a temperature, in loops."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def direction(row: Floats) -> Floats:
    """sign(x) * sqrt(|x|), of length 1."""
    roots = [math.copysign(math.sqrt(abs(float(x))), float(x)) for x in row]
    length = math.sqrt(sum(x * x for x in roots))
    return np.array([x / length for x in roots])


def covariance(features: Floats, axes: int) -> tuple[Floats, Floats]:
    """The mean direction, and the covariance in which all but the largest eigenvalues are replaced by their mean."""
    rows = [direction(row) for row in features]
    mean = np.stack(rows).sum(axis=0) / len(rows)
    matrix = sum(np.outer(row - mean, row - mean) for row in rows) / len(rows)
    values, vectors = np.linalg.eigh(matrix)
    values = values.copy()
    values[: len(values) - axes] = values[: len(values) - axes].mean()
    return mean, vectors @ np.diag(values) @ vectors.T


def distances(features: Floats, mean: Floats, matrix: Floats) -> Floats:
    """sqrt((d - m)' C^-1 (d - m)) of each direction d."""
    inverse = np.linalg.inv(matrix)
    return np.array([math.sqrt((direction(row) - mean) @ inverse @ (direction(row) - mean)) for row in features])


def log_likelihood(scores: Floats, labels: NDArray[np.int64], temperature: float) -> float:
    """The mean log probability of the true class by the softmax of scores / temperature."""
    total = 0.0
    for row, label in zip(scores, labels, strict=True):
        total += row[label] / temperature - math.log(sum(math.exp(x / temperature) for x in row))
    return total / len(scores)
