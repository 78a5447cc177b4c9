"""Average precision, areas under ROC curves, R², the k best classes, F1 and distances in a hierarchy, in loops."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]


def average_precision(predictions: Floats, present: Booleans) -> float:
    """Σ (R_n − R_{n−1}) P_n over the distinct thresholds, from the highest on."""
    area, recall = 0.0, 0.0
    for threshold in sorted(set(predictions.tolist()), reverse=True):
        taken = [bool(has) for value, has in zip(predictions, present, strict=True) if value >= threshold]
        now = sum(taken) / int(present.sum())
        area += (now - recall) * sum(taken) / len(taken)
        recall = now
    return area


def area_under_roc(predictions: Floats, present: Booleans) -> float:
    """The trapezoids under the curve of true against false positive rates, threshold by threshold."""
    points = [(0.0, 0.0)]
    for threshold in sorted(set(predictions.tolist()), reverse=True):
        taken = predictions >= threshold
        points.append(
            (float((taken & ~present).sum() / (~present).sum()), float((taken & present).sum() / present.sum()))
        )
    return sum((x2 - x1) * (y1 + y2) / 2 for (x1, y1), (x2, y2) in pairwise(points))


def r_squared(predictions: Floats, targets: Floats, weights: Floats) -> float:
    """1 − residual over total sum of squares, over samples with weights."""
    total = sum(weights.tolist())
    mean = sum(w * t for w, t in zip(weights, targets, strict=True)) / total
    residual = sum(w * (t - p) ** 2 for w, p, t in zip(weights, predictions, targets, strict=True))
    return float(1 - residual / sum(w * (t - mean) ** 2 for w, t in zip(weights, targets, strict=True)))


def top_k_hits(scores: Floats, labels: Integers, k: int) -> Booleans:
    """Whether the label is among the first k of a stable order from the highest score to the lowest."""
    hits = []
    for row, label in zip(scores, labels, strict=True):
        order = sorted(range(len(row)), key=lambda column: -row[column])
        hits.append(int(label) in order[:k])
    return np.array(hits)


def f1(chosen: Integers, labels: Integers, of_class: int) -> float:
    """The harmonic mean of precision and recall; 0 where the class is never chosen rightly."""
    right = sum(1 for c, y in zip(chosen, labels, strict=True) if c == y == of_class)
    if not right:
        return 0.0 if of_class in labels else math.nan
    precision, recall = right / int((chosen == of_class).sum()), right / int((labels == of_class).sum())
    return 2 / (1 / precision + 1 / recall)


def tree_distance(first: Sequence[object], second: Sequence[object]) -> float:
    """The steps up from a leaf to the lowest common ancestor, over those to the root; paths lead from root to leaf."""
    steps = len(first)
    for ours, theirs in zip(first, second, strict=True):
        if ours != theirs:
            break
        steps -= 1
    return steps / len(first)
