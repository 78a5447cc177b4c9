"""LATEM, SYNC, CN-ZSL and APN as their papers write them, one sample and one class at a time."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def unit(row: Floats) -> Floats:
    length = math.sqrt(sum(float(x) ** 2 for x in row))
    result: Floats = row / length if length > 0 else row
    return result


def latem_scores(features: Floats, maps: Floats, semantics: Floats) -> Floats:
    """max over the maps W_k [K, S, D] of xᵀ W_kᵀ a, x and a of length 1."""
    scores = np.zeros((len(features), len(semantics)))
    for i, x in enumerate(features):
        for c, a in enumerate(semantics):
            scores[i, c] = max(float(unit(x) @ (w.T @ unit(a))) for w in maps)
    return scores


def sync_similarities(semantics: Floats, places: Floats, sigma_squared: float) -> Floats:
    """s_cr = exp(-d(a_c, b_r)) / sum_r' exp(-d(a_c, b_r')), d the squared distance over sigma²; rows of length 1."""
    result = np.zeros((len(semantics), len(places)))
    for c, a in enumerate(semantics):
        kernel = []
        for b in places:
            difference = unit(a) - unit(b)
            kernel.append(math.exp(-sum(float(d) ** 2 for d in difference) / sigma_squared))
        result[c] = [value / sum(kernel) for value in kernel]
    return result


def sync_scores(features: Floats, bases: Floats, similarities: Floats) -> Floats:
    """w_c = sum_r s_cr v_r, scores w_c · x, x of length √D."""
    scores = np.zeros((len(features), len(similarities)))
    for c, row in enumerate(similarities):
        classifier = sum(s * v for s, v in zip(row, bases, strict=True))
        for i, x in enumerate(features):
            scores[i, c] = math.sqrt(len(x)) * float(np.dot(classifier, unit(x)))
    return scores


def mean_square_distance(semantics: Floats) -> float:
    """Mean of ‖a_c - a_c'‖² over the pairs of different classes, rows of length 1."""
    squares = [
        sum((float(x) - float(y)) ** 2 for x, y in zip(unit(a), unit(b), strict=True))
        for i, a in enumerate(semantics)
        for b in semantics[:i]
    ]
    return sum(squares) / len(squares)


def standardized(rows: Floats, mean: Floats | None = None, variance: Floats | None = None) -> Floats:
    """Subtract the mean over classes from each unit and divide by the root of the variance (+ 1e-5)."""
    result = np.zeros_like(rows)
    for unit_ in range(rows.shape[1]):
        column = rows[:, unit_]
        mu = float(np.mean(column)) if mean is None else mean[unit_]
        var = float(np.mean((column - mu) ** 2)) if variance is None else variance[unit_]
        result[:, unit_] = (column - mu) / math.sqrt(var + 1e-5)
    return result


def cn_zsl_prototypes(
    semantics: Floats,
    weights: list[tuple[Floats, Floats]],
    statistics: list[tuple[Floats, Floats]] | tuple[()] = (),
    rectified: bool = False,
) -> Floats:
    """W3 S(relu(S(W2 relu(W1 a + b1) + b2))) + b3; statistics of S are those of the given classes, or given."""
    (w1, b1), (w2, b2), (w3, b3) = weights
    given: Any = statistics or [(None, None), (None, None)]
    first = np.array([np.maximum(w1 @ unit(a) + b1, 0) for a in semantics])
    second = np.maximum(standardized(np.array([w2 @ h + b2 for h in first]), *given[0]), 0)
    found = np.array([w3 @ h + b3 for h in standardized(second, *given[1])])
    return np.maximum(found, 0) if rectified else found


def apn(
    regions: Floats,
    pooled: Floats,
    prototypes: Floats,
    target: Floats,
    groups: Integers,
    height: int,
    first: int = 0,
    *,
    local_weight: float,
    regression_weight: float,
    decorrelation_weight: float,
    compactness_weight: float,
) -> tuple[Floats, Floats]:
    """(prediction [B, S], penalty [B]) for regions [B, R, D]; those from the first on form a map of so many rows."""
    count, semantic_count, channels = len(regions), len(pooled), regions.shape[2]
    predictions, penalties = np.zeros((count, semantic_count)), np.zeros(count)
    shared = 0.0
    for d in range(channels):
        for g in sorted(set(groups.tolist())):
            shared += math.sqrt(sum(float(prototypes[s, d]) ** 2 for s in range(semantic_count) if groups[s] == g))
    for i, image in enumerate(regions):
        width = (len(image) - first) // height
        longest = max(height - 1, width - 1, 1)
        places = [(r // width / longest, r % width / longest) for r in range(len(image) - first)]
        spread, error = 0.0, 0.0
        for s in range(semantic_count):
            similarity = [float(prototypes[s] @ region) for region in image]
            cells = similarity[first:]
            peak = cells.index(max(cells))
            total = sum(math.exp(value - max(cells)) for value in cells)
            for r, value in enumerate(cells):
                share = math.exp(value - max(cells)) / total
                spread += share * sum((a - b) ** 2 for a, b in zip(places[r], places[peak], strict=True))
            error += (max(similarity) - float(unit(target[i])[s])) ** 2
            predictions[i, s] = float(pooled[s] @ image.mean(axis=0)) + local_weight * max(similarity)
        penalties[i] = (
            regression_weight * error
            + decorrelation_weight * shared / channels
            + compactness_weight * spread / semantic_count
        )
    return predictions, penalties


def clip_scores(images: Floats, texts: list[Floats]) -> Floats:
    """cos(x, t_c) with t_c the mean of the embeddings of the texts about class c, each of length 1."""
    scores = np.zeros((len(images), len(texts)))
    for c, embeddings in enumerate(texts):
        mean = sum(unit(row) for row in embeddings) / len(embeddings)
        for i, x in enumerate(images):
            scores[i, c] = float(np.dot(unit(x), unit(np.array(mean))))
    return scores
