"""ESZSL, SAE and DAP as their papers state them, on the samples themselves."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def eszsl(features: Floats, labels: Integers, semantics: Floats, gamma: float, lam: float) -> Floats:
    """V [D, S]: least squares over all its numbers at once, the four terms of the objective written as rows."""
    wanted = np.where(labels[:, None] == np.arange(len(semantics)), 1.0, -1.0)
    eye_features, eye_semantics = np.eye(features.shape[1]), np.eye(semantics.shape[1])
    rows = [
        np.kron(features, semantics),
        math.sqrt(gamma) * np.kron(eye_features, semantics),
        math.sqrt(lam) * np.kron(features, eye_semantics),
        math.sqrt(gamma * lam) * np.kron(eye_features, eye_semantics),
    ]
    right = np.concatenate([wanted.ravel(), np.zeros(sum(len(block) for block in rows[1:]))])
    solution: Floats = np.linalg.lstsq(np.concatenate(rows), right, rcond=None)[0]
    return solution.reshape(features.shape[1], semantics.shape[1])


def sae_objective(weights: Floats, features: Floats, sample_semantics: Floats, lam: float) -> float:
    """‖X − S W‖² + λ‖X Wᵀ − S‖² in loops, W [S, D]."""
    total = 0.0
    for x, s in zip(features, sample_semantics, strict=True):
        total += sum((x[d] - sum(s[j] * weights[j, d] for j in range(len(s)))) ** 2 for d in range(len(x)))
        total += lam * sum((sum(weights[j, d] * x[d] for d in range(len(x))) - s[j]) ** 2 for j in range(len(s)))
    return total


def dap_scores(probabilities: Floats, binary: Floats, priors: Floats) -> Floats:
    """Π_m p(a_m = a_m^c | x) / p(a_m = a_m^c), as a logarithm."""
    scores = np.zeros((len(probabilities), len(binary)))
    for i, row in enumerate(probabilities):
        for c, attributes in enumerate(binary):
            product = 1.0
            for p, present, prior in zip(row, attributes, priors, strict=True):
                product *= p / prior if present else (1 - p) / (1 - prior)
            scores[i, c] = math.log(product)
    return scores


def logistic_gradient(
    features: Floats, targets: Floats, weights: Floats, bias: Floats, penalty: float
) -> tuple[Floats, Floats]:
    """Gradients [S, D] and [S] of mean_i −ln p(t_is) + penalty/2 · ‖w_s‖² in loops; zero at the solution."""
    of_weights, of_bias = penalty * weights, np.zeros(len(bias))
    for x, t in zip(features, targets, strict=True):
        for s in range(len(bias)):
            excess = 1 / (1 + math.exp(-(float(weights[s] @ x) + bias[s]))) - t[s]
            of_weights[s] += excess * x / len(features)
            of_bias[s] += excess / len(features)
    return of_weights, of_bias
