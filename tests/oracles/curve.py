"""The seen-unseen curve of calibrated stacking by brute force.

gamma is subtracted from the scores of the seen classes. With the margin delta = max seen score - max unseen score,
the chosen class of a sample is seen iff gamma < delta, and unseen iff gamma >= delta.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .scoring import class_hit_rates

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]


class Accuracies(NamedTuple):
    """One point of the curve: the class-averaged accuracies S and U among all classes."""

    seen: float
    unseen: float


class Curve(NamedTuple):
    """gamma in ascending order and the point at each of them."""

    gamma: list[float]
    points: list[Accuracies]


def best_class(scores: Floats, allowed: Booleans) -> int:
    """The allowed class with the highest score, the first of several with equal scores."""
    candidates = [c for c in range(len(scores)) if allowed[c]]
    return max(candidates, key=lambda c: float(scores[c]))


def margin(scores: Floats, is_seen: Booleans) -> float:
    """delta = max seen score - max unseen score, for the scores of one sample."""
    return float(scores[best_class(scores, is_seen)]) - float(scores[best_class(scores, ~is_seen)])


def accuracies_at(
    gamma: float,
    seen_scores: Floats,
    seen_labels: Integers,
    unseen_scores: Floats,
    unseen_labels: Integers,
    is_seen: Booleans,
) -> Accuracies:
    """(S, U) at gamma; scores are [N, C] over all classes, labels are columns of the scores.

    A seen sample counts iff its best seen class is right and gamma < delta,
    an unseen sample iff its best unseen class is right and gamma >= delta.
    """
    seen_hits = []
    for scores, label in zip(seen_scores, seen_labels, strict=True):
        seen_hits.append(best_class(scores, is_seen) == label and gamma < margin(scores, is_seen))
    unseen_hits = []
    for scores, label in zip(unseen_scores, unseen_labels, strict=True):
        unseen_hits.append(best_class(scores, ~is_seen) == label and gamma >= margin(scores, is_seen))
    seen_rates = class_hit_rates(np.array(seen_hits, dtype=np.bool_), seen_labels)
    unseen_rates = class_hit_rates(np.array(unseen_hits, dtype=np.bool_), unseen_labels)
    return Accuracies(
        seen=sum(seen_rates.values()) / len(seen_rates),
        unseen=sum(unseen_rates.values()) / len(unseen_rates),
    )


def sweep(
    gammas: Iterable[float],
    seen_scores: Floats,
    seen_labels: Integers,
    unseen_scores: Floats,
    unseen_labels: Integers,
    is_seen: Booleans,
) -> list[Accuracies]:
    """(S, U) at each gamma, in the order given."""
    return [accuracies_at(gamma, seen_scores, seen_labels, unseen_scores, unseen_labels, is_seen) for gamma in gammas]


def area(points: Sequence[Accuracies]) -> float:
    """Trapezoids under S over U: sum of (U_k+1 - U_k) (S_k + S_k+1) / 2, from small U to large U.

    Along the curve U never falls and S never rises, so among points of one U the higher S comes first.
    """
    ordered = sorted(points, key=lambda point: (point.unseen, -point.seen))
    total = 0.0
    for left, right in pairwise(ordered):
        total += (right.unseen - left.unseen) * (left.seen + right.seen) / 2
    return total


def exact_curve(
    seen_scores: Floats,
    seen_labels: Integers,
    unseen_scores: Floats,
    unseen_labels: Integers,
    is_seen: Booleans,
) -> Curve:
    """The whole curve: evaluated at every distinct delta, halfway between neighbours, below all and above all."""
    all_scores = [*seen_scores, *unseen_scores]
    deltas = sorted({margin(scores, is_seen) for scores in all_scores})
    halfway = [(low + high) / 2 for low, high in pairwise(deltas)]
    gamma = sorted({-math.inf, *deltas, *halfway, math.inf})
    return Curve(gamma, sweep(gamma, seen_scores, seen_labels, unseen_scores, unseen_labels, is_seen))


def harmonic_mean(seen: float, unseen: float) -> float:
    """H = 2 S U / (S + U), and 0 if both are 0."""
    return 2 * seen * unseen / (seen + unseen) if seen + unseen > 0 else 0.0


def best_harmonic_mean(points: Sequence[Accuracies]) -> float:
    """The largest H over the points."""
    return max(harmonic_mean(point.seen, point.unseen) for point in points)


def literal_sweep(
    step: float,
    seen_scores: Floats,
    seen_labels: Integers,
    unseen_scores: Floats,
    unseen_labels: Integers,
    is_seen: Booleans,
    *,
    start: float | None = None,
    stop: float | None = None,
) -> Curve:
    """The sweep that is common in the field: for gamma from start to stop by step, subtract, argmax, class-averaged accuracy.

    The range defaults to one that covers every margin of these samples. In an exact tie the first column wins.
    """
    both = np.concatenate([seen_scores, unseen_scores])
    deltas = both[:, is_seen].max(axis=1) - both[:, ~is_seen].max(axis=1)
    first = float(deltas.min()) - step if start is None else start
    last = float(deltas.max()) + step if stop is None else stop
    gammas, points = [], []
    for gamma in np.arange(first, last + step, step):
        accuracies = []
        for scores, labels in ((seen_scores, seen_labels), (unseen_scores, unseen_labels)):
            predicted = (scores - gamma * is_seen).argmax(axis=1)
            accuracies.append(float(np.mean([np.mean(predicted[labels == c] == c) for c in np.unique(labels)])))
        gammas.append(float(gamma))
        points.append(Accuracies(seen=accuracies[0], unseen=accuracies[1]))
    return Curve(gammas, points)
