"""Losses that are a mean over cells of a function of the difference d = prediction - target, in loops.

mae |d|   rmse sqrt(mean d^2)   huber d^2/2 or delta (|d| - delta/2)
focal-R d^2 (2/(1+exp(-beta |d|)) - 1)^gamma, or d^2 tanh(beta |d|)^gamma, or |d| in place of d^2
"""

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tests.oracles.remse import normalize_rows

Floats = NDArray[np.float64]


def compared(prediction: Floats, target: Floats, normalize: bool) -> tuple[Floats, Floats]:
    return (normalize_rows(prediction), normalize_rows(target)) if normalize else (prediction, target)


def cells(prediction: Floats, target: Floats, normalize: bool) -> list[float]:
    p, t = compared(prediction, target, normalize)
    return [float(p[i, s]) - float(t[i, s]) for i in range(p.shape[0]) for s in range(p.shape[1])]


def mae(prediction: Floats, target: Floats, normalize: bool) -> float:
    differences = cells(prediction, target, normalize)
    return sum(abs(d) for d in differences) / len(differences)


def rmse(prediction: Floats, target: Floats, normalize: bool) -> float:
    differences = cells(prediction, target, normalize)
    return math.sqrt(sum(d * d for d in differences) / len(differences))


def root_per_cell(prediction: Floats, target: Floats, normalize: bool) -> float:
    """Mean of sqrt(d^2 + 1e-10): the RMSE of the published code."""
    differences = cells(prediction, target, normalize)
    return sum(math.sqrt(d * d + 1e-10) for d in differences) / len(differences)


def huber(prediction: Floats, target: Floats, normalize: bool, delta: float) -> float:
    total = 0.0
    differences = cells(prediction, target, normalize)
    for d in differences:
        total += d * d / 2 if abs(d) <= delta else delta * (abs(d) - delta / 2)
    return total / len(differences)


def focal_r(
    prediction: Floats,
    target: Floats,
    normalize: bool,
    beta: float,
    gamma: float,
    activation: Literal["sigmoid", "tanh"],
    error: Literal["squared", "absolute"],
) -> float:
    total = 0.0
    differences = cells(prediction, target, normalize)
    for d in differences:
        e = abs(d)
        bracket = 2 / (1 + math.exp(-beta * e)) - 1 if activation == "sigmoid" else math.tanh(beta * e)
        total += bracket**gamma * (e * e if error == "squared" else e)
    return total / len(differences)
