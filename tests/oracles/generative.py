"""The losses of generators of features as their papers state them, in loops over samples and dimensions."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import sqrtm

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def kl_by_integration(mean: float, log_variance: float) -> float:
    """∫ p ln(p / q) of p = N(mean, e^log_variance) and q = N(0, 1), by the midpoint rule."""
    deviation = math.exp(log_variance / 2)
    steps, reach = 20000, 12.0
    total = 0.0
    for step in range(steps):
        z = mean + deviation * reach * (2 * (step + 0.5) / steps - 1)
        ln_p = -((z - mean) ** 2) / (2 * deviation**2) - math.log(deviation) - math.log(2 * math.pi) / 2
        ln_q = -(z**2) / 2 - math.log(2 * math.pi) / 2
        total += math.exp(ln_p) * (ln_p - ln_q) * 2 * reach * deviation / steps
    return total


def wasserstein_of_gaussians(mean: Floats, variance: Floats, other_mean: Floats, other_variance: Floats) -> float:
    """√(‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁^½ Σ₂ Σ₁^½)^½)) with diagonal covariances as matrices."""
    first, second = np.diag(variance), np.diag(other_variance)
    root = sqrtm(first)
    trace = np.trace(first + second - 2 * sqrtm(root @ second @ root))
    return math.sqrt(float(np.sum((mean - other_mean) ** 2)) + float(np.real(trace)))


def gradient_penalty(score: Callable[[Floats], float], real: Floats, made: Floats, share: Floats) -> float:
    """Mean of (‖∇ score‖ − 1)² between real and made samples, by central differences."""
    step, total = 1e-6, 0.0
    for i in range(len(real)):
        point = share[i] * real[i] + (1 - share[i]) * made[i]
        slope = []
        for d in range(len(point)):
            shift = np.zeros(len(point))
            shift[d] = step
            slope.append((score(point + shift) - score(point - shift)) / (2 * step))
        total += (math.sqrt(sum(part**2 for part in slope)) - 1) ** 2
    return total / len(real)


def perceptron(x: Floats, layers: list[tuple[Floats, Floats]], slope: float) -> Floats:
    """W₂ · leaky(W₁ x + b₁) + b₂."""
    (first, first_bias), (last, last_bias) = layers
    hidden = first @ x + first_bias
    result: Floats = last @ np.where(hidden > 0, hidden, slope * hidden) + last_bias
    return result


def softmax_objective(
    weights: Floats, bias: Floats, features: Floats, labels: Integers, penalty: float, deviation: Floats
) -> float:
    """Mean over classes of the mean −ln p(label), and half the penalty times the weights for features of deviation 1."""
    total = 0.0
    for c in range(len(weights)):
        of_class = [i for i in range(len(labels)) if labels[i] == c]
        for i in of_class:
            scores = [float(weights[k] @ features[i] + bias[k]) for k in range(len(weights))]
            highest = max(scores)
            normaliser = highest + math.log(sum(math.exp(score - highest) for score in scores))
            total += (normaliser - scores[c]) / len(of_class) / len(weights)
    return total + penalty / 2 * float(((weights * deviation) ** 2).sum())


def balanced_deviation(features: Floats, labels: Integers) -> Floats:
    """The deviation of each dimension, where all classes have the same weight."""
    classes = np.unique(labels)
    weight = [1 / (len(classes) * int((labels == label).sum())) for label in labels]
    mean = sum(w * x for w, x in zip(weight, features, strict=True))
    square = sum(w * (x - mean) ** 2 for w, x in zip(weight, features, strict=True))
    result: Floats = np.sqrt(square)
    return result


def cada_vae_loss(
    features: Floats,
    semantics: Floats,
    noise: tuple[Floats, Floats],
    networks: dict[str, Callable[[Floats], Floats]],
    weights: tuple[float, float, float],
) -> float:
    """L of CADA-VAE for a batch, sample by sample; ``networks`` are E_x, E_a, D_x and D_a."""
    kl_weight, cross_weight, distance_weight = weights
    total = 0.0
    for x, a, noise_x, noise_a in zip(features, semantics, *noise, strict=True):
        code_x, code_a = networks["E_x"](x), networks["E_a"](a)
        size = len(noise_x)
        mean_x, log_x, mean_a, log_a = code_x[:size], code_x[size:], code_a[:size], code_a[size:]
        z_x = mean_x + np.exp(log_x / 2) * noise_x
        z_a = mean_a + np.exp(log_a / 2) * noise_a

        def error(decoder: str, latent: Floats, target: Floats) -> float:
            return float(np.abs(networks[decoder](latent) - target).mean())

        total += error("D_x", z_x, x) + error("D_a", z_a, a)
        total += cross_weight * (error("D_x", z_a, x) + error("D_a", z_x, a))
        for mean, log in ((mean_x, log_x), (mean_a, log_a)):
            total += kl_weight * sum(
                0.5 * (m**2 + math.exp(v) - 1 - v) for m, v in zip(mean.tolist(), log.tolist(), strict=True)
            )
        total += distance_weight * wasserstein_of_gaussians(mean_x, np.exp(log_x), mean_a, np.exp(log_a))
    return total / len(features)
