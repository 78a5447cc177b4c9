"""Choices at a gamma, mistakes, hubs and reliability, in loops. Scores are [N, C], labels and choices columns."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .curve import best_class, margin

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]


class Choice(NamedTuple):
    """A class and its softmax probability by the calibrated scores."""

    column: int
    confidence: float


def choose(scores: Floats, is_seen: Booleans, gamma: float) -> Choice:
    """The best seen class if gamma < delta, else the best unseen one; one sample's scores [C]."""
    allowed = np.ones_like(is_seen) if is_seen.all() or not is_seen.any() else None
    if allowed is None:
        allowed = is_seen if gamma < margin(scores, is_seen) else ~is_seen
    column = best_class(scores, allowed)
    calibrated = [float(s) - gamma * bool(seen) for s, seen in zip(scores, is_seen, strict=True)]
    peak = max(calibrated)
    powers = [math.exp(s - peak) for s in calibrated]
    return Choice(column, powers[column] / math.fsum(powers))


def confusion(truth: Integers, chosen: Integers, classes: int) -> Integers:
    """n_tc = number of samples of class t for which class c was chosen."""
    counts = np.zeros((classes, classes), dtype=np.int64)
    for t, c in zip(truth, chosen, strict=True):
        counts[t, c] += 1
    return counts


def cosine(x: Floats, y: Floats) -> float:
    """<x, y> / (||x|| ||y||); 0 where one of them is all zeros."""
    lengths = math.hypot(*x) * math.hypot(*y)
    return math.fsum(float(a) * float(b) for a, b in zip(x, y, strict=True)) / lengths if lengths > 0 else 0.0


def direction(x: Floats) -> list[float]:
    """x / ||x||; zeros where x is."""
    length = math.hypot(*x) or 1.0
    return [float(a) / length for a in x]


class Mistake(NamedTuple):
    """A wrong sample."""

    position: int
    error: float
    cosine_to_truth: float
    cosine_to_chosen: float
    neighbour_rank: int


def squared_error(x: Floats, y: Floats) -> float:
    """Mean over the attributes of the squared difference of the two directions."""
    return math.fsum((a - b) ** 2 for a, b in zip(direction(x), direction(y), strict=True)) / len(x)


def mistakes(predictions: Floats, class_semantics: Floats, truth: Integers, chosen: Integers) -> list[Mistake]:
    """Every sample whose choice is not its class; rank = 1 + number of classes other than t that are nearer to t than c."""
    found = []
    for i, (t, c) in enumerate(zip(truth, chosen, strict=True)):
        if t == c:
            continue
        of_chosen = cosine(class_semantics[t], class_semantics[c])
        nearer = [
            o
            for o in range(len(class_semantics))
            if o != t and cosine(class_semantics[t], class_semantics[o]) > of_chosen
        ]
        p, target = predictions[i], class_semantics[t]
        found.append(
            Mistake(i, squared_error(p, target), cosine(p, target), cosine(p, class_semantics[c]), 1 + len(nearer))
        )
    return found


def occurrence(scores: Floats, neighbours: int) -> Integers:
    """N_k(c) = number of rows in which fewer than k classes score higher than c; the scores of a row all differ."""
    counts = np.zeros(scores.shape[1], dtype=np.int64)
    for row in scores:
        for c, score in enumerate(row):
            counts[c] += sum(other > score for other in row) < neighbours
    return counts


class ReliabilityBin(NamedTuple):
    """The samples of one bin of the confidence."""

    size: int
    confidence: float
    accuracy: float


def reliability(confidence: Floats, right: Booleans, edges: Floats) -> list[ReliabilityBin]:
    """The samples with edge_b < confidence <= edge_(b+1), the first bin with its lower edge."""
    bins = []
    for b in range(len(edges) - 1):
        inside = [i for i, p in enumerate(confidence) if edges[b] < p <= edges[b + 1] or (b == 0 and p == edges[0])]
        count = len(inside)
        of_bin = [
            math.fsum(float(side[i]) for i in inside) / count if count else math.nan for side in (confidence, right)
        ]
        bins.append(ReliabilityBin(count, *of_bin))
    return bins


def expected_calibration_error(bins: list[ReliabilityBin]) -> float:
    """sum_b n_b / n |accuracy_b - confidence_b|."""
    total = sum(b.size for b in bins)
    return math.fsum(b.size / total * abs(b.accuracy - b.confidence) for b in bins if b.size)
