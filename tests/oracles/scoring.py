"""Class scores and class-averaged accuracy, in loops."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]


def cosine_scores(predictions: Floats, class_semantics: Floats, scale: float) -> Floats:
    """score_ic = scale * <p_i, A_c> / (||p_i|| ||A_c||); 0 where one of the two is all zeros."""
    scores = np.zeros((len(predictions), len(class_semantics)), dtype=np.float64)
    for i, p in enumerate(predictions):
        for c, a in enumerate(class_semantics):
            inner = sum(float(x) * float(y) for x, y in zip(p, a, strict=True))
            p_norm, a_norm = math.hypot(*p), math.hypot(*a)
            if p_norm > 0 and a_norm > 0:
                scores[i, c] = scale * inner / (p_norm * a_norm)
    return scores


def class_hit_rates(hits: Booleans, target: Integers) -> dict[int, float]:
    """For each class in the target: the share of its samples that are hits."""
    rates = {}
    for c in sorted({int(label) for label in target}):
        of_class = [bool(hit) for hit, label in zip(hits, target, strict=True) if label == c]
        rates[c] = sum(of_class) / len(of_class)
    return rates


def class_accuracies(predicted: Integers, target: Integers) -> dict[int, float]:
    """For each class in the target: the share of its samples that are predicted as it."""
    return class_hit_rates(np.array(predicted == target, dtype=np.bool_), target)


def mean_class_accuracy(predicted: Integers, target: Integers) -> float:
    """The mean of class_accuracies, each class in the target counting the same."""
    accuracies = class_accuracies(predicted, target)
    return sum(accuracies.values()) / len(accuracies)


def expected_attributes(scores: Floats, seen_semantics: Floats) -> Floats:
    """Attribute s of sample i: Σ_c p_ic A_cs with p_i the softmax of its scores of the seen classes."""
    result = np.zeros((len(scores), seen_semantics.shape[1]), dtype=np.float64)
    for i, row in enumerate(scores):
        total = sum(math.exp(float(score) - max(row)) for score in row)
        for score, attributes in zip(row, seen_semantics, strict=True):
            result[i] += math.exp(float(score) - max(row)) / total * attributes
    return result
