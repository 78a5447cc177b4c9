"""The bracket of Balanced MSE, -ln N(A; p, v) + ln of the integral of N(A'; p, v) p_train(A'), in loops; v = sigma^2.

bmc: p_train is the batch, of which every sample of the own class is a hit, or the sample alone (as published).   bni: a histogram per attribute.
gai: a mixture of normal distributions per attribute, whose integral is sum_k w_k N(p; m_k, v_k + v).
"""

import math

import numpy as np
from numpy.typing import NDArray

from tests.oracles.label_density import bin_of, density

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def normal(x: float, mean: float, variance: float) -> float:
    return math.exp(-((x - mean) ** 2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)


def bmc(prediction: Floats, target: Floats, labels: Integers, sigma: float, alone: bool = False) -> float:
    total = 0.0
    for i in range(len(labels)):
        likelihoods = [
            math.prod(normal(float(p), float(t), sigma**2) for p, t in zip(prediction[i], target[j], strict=True))
            for j in range(len(labels))
        ]
        hits = [j for j in range(len(labels)) if (j == i if alone else labels[j] == labels[i])]
        own = sum(likelihoods[j] for j in hits)
        total += -math.log(own / sum(likelihoods))
    return total / len(labels)


def bni(prediction: Floats, target: Floats, table: Floats, counts: Integers, bins: int, sigma: float) -> float:
    total = 0.0
    for s in range(prediction.shape[1]):
        values = [float(value) for value in table[:, s]]
        low, width = min(values), (max(values) - min(values)) / bins
        assert all(0 <= bin_of(value, values, bins) < bins for value in values)
        samples = density(values, counts, bins)
        for i in range(prediction.shape[0]):
            p = float(prediction[i, s])
            met = sum(samples[b] / sum(samples) * normal(p, low + (b + 0.5) * width, sigma**2) for b in range(bins))
            total += -math.log(normal(p, float(target[i, s]), sigma**2)) + math.log(met)
    return total / prediction.size


def gai(prediction: Floats, target: Floats, weights: Floats, means: Floats, variances: Floats, sigma: float) -> float:
    """Weights, means and variances are [S, K]."""
    total = 0.0
    for s in range(prediction.shape[1]):
        for i in range(prediction.shape[0]):
            p = float(prediction[i, s])
            met = sum(
                float(w) * normal(p, float(m), float(v) + sigma**2)
                for w, m, v in zip(weights[s], means[s], variances[s], strict=True)
            )
            total += -math.log(normal(p, float(target[i, s]), sigma**2)) + math.log(met)
    return total / prediction.size
