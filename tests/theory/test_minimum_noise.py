"""docs/theory.md, section 6: the noise in the smallest error of a batch.

All classes have the same true error here, so every weight should be 1. A class error is the mean of K squared Gaussian
differences, so its logarithm is that of a χ² with K degrees of freedom over K.
"""

import math

import pytest
import torch
from scipy.integrate import quad
from scipy.special import digamma, gammaln
from scipy.stats import chi2
from torch import Tensor

from rezsl.functional import class_error_matrix, rebalancing_weights
from rezsl.losses import ReMSELoss
from rezsl.losses.remse import Memory

TABLE = {
    (32, 1): (7.39, 0.32, 1.14),
    (16, 2): (3.77, 0.30, 1.27),
    (8, 4): (2.26, 0.25, 1.46),
    (4, 8): (1.57, 0.19, 1.69),
}
"""The table of docs/theory.md by (ways, shots): mean weight; relative standard deviation from batch to batch of the mean
weight of an attribute; mean weight of a class whose error is e times that of the others, over their mean weight."""


def squared_errors(ways: int, shots: int, repeats: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return independent draws of squared errors, ``[ways · shots, repeats]``, and the labels."""
    generator = torch.Generator().manual_seed(seed)
    errors = torch.randn(ways * shots, repeats, generator=generator, dtype=torch.float64).square()
    return errors, torch.arange(ways).repeat_interleave(shots)


def sampled_weights(ways: int, shots: int, repeats: int = 20000) -> Tensor:
    """Return the weights for class power 1, ``[ways, repeats]``."""
    matrix, _ = class_error_matrix(*squared_errors(ways, shots, repeats))
    return rebalancing_weights(matrix, 1.0, 0.0)


def expected_weight(ways: int, shots: float) -> float:
    """Return 1 + E ln ê − E ln min ê, by quadrature over the distribution of the minimum."""

    def exceeds(log_error: float) -> float:
        return float(chi2.sf(shots * math.exp(log_error), shots)) ** ways

    above, _ = quad(exceeds, 0, math.log(chi2.isf(1e-14, shots) / shots))
    below, _ = quad(lambda y: 1 - exceeds(y), -80, 0, limit=200, points=[-20, -5])
    return float(1 + digamma(shots / 2) - math.log(shots / 2) - (above - below))


@pytest.mark.parametrize(("ways", "shots"), TABLE)
def test_weights_of_equal_errors_exceed_one(ways: int, shots: int) -> None:
    """The mean of the weights is above 1, and the common minimum makes them rise and fall together."""
    mean, deviation, _ = TABLE[ways, shots]
    weights, expected = sampled_weights(ways, shots), expected_weight(ways, shots)
    assert expected == pytest.approx(mean, abs=0.006)
    assert float(weights.mean()) == pytest.approx(expected, rel=0.01)
    of_batch = weights.mean(dim=0)
    assert float(of_batch.std() / of_batch.mean()) == pytest.approx(deviation, abs=0.006)
    assert float(torch.corrcoef(weights[:2])[0, 1]) > 0.05


@pytest.mark.parametrize(("ways", "shots"), TABLE)
def test_noise_reduces_the_weight_of_a_true_difference(ways: int, shots: int) -> None:
    """A class whose error is e times that of the others should have twice their weight."""
    errors, labels = squared_errors(ways, shots, 20000)
    uneven = errors * torch.where(labels == 0, math.e, 1.0).unsqueeze(1)
    weights = rebalancing_weights(class_error_matrix(uneven, labels)[0], 1.0, 0.0).mean(dim=1)
    assert float(weights[0] / weights[1:].mean()) == pytest.approx(TABLE[ways, shots][2], abs=0.01)


def test_with_two_shots_the_mean_weight_is_one_plus_the_logarithm_of_the_ways() -> None:
    for ways in (2, 16, 200):
        assert expected_weight(ways, 2) == pytest.approx(1 + math.log(ways), abs=1e-6)


def test_the_attribute_factor_has_the_same_bias_and_a_small_power_limits_it() -> None:
    matrix, _ = class_error_matrix(*squared_errors(312, 2, 2000))
    assert float(rebalancing_weights(matrix.T, 0.0, 1.0).mean()) == pytest.approx(1 + math.log(312), rel=0.01)
    for power, expected in ((0.1, 1.206), (0.75, 4.16)):
        assert float(rebalancing_weights(matrix.T, 0.0, power).mean()) == pytest.approx(expected, rel=0.005)


def test_more_ways_increase_the_weights_and_more_shots_decrease_them() -> None:
    """E ln min ê → −(2/K)(ln W + ln c + γ), with standard deviation π/√6 · 2/K, for many ways."""
    for shots in (1, 2, 4):
        by_ways = [expected_weight(ways, shots) for ways in (2, 8, 32, 128, 512)]
        assert by_ways == sorted(by_ways)
        assert by_ways[4] - by_ways[3] == pytest.approx(2 / shots * math.log(4), rel=0.06)
        matrix, _ = class_error_matrix(*squared_errors(256, shots, 4000))
        log_minimum = matrix.amin(dim=0).log()
        log_c = shots / 2 * math.log(shots / 2) - float(gammaln(shots / 2 + 1))
        limit = -2 / shots * (math.log(256) + log_c + 0.5772)
        assert float(log_minimum.mean()) == pytest.approx(limit, rel=0.06)
        assert float(log_minimum.std()) == pytest.approx(math.pi / math.sqrt(6) * 2 / shots, rel=0.08)
    by_shots = [expected_weight(16, shots) for shots in (1, 2, 4, 8, 32, 128)]
    assert by_shots == sorted(by_shots, reverse=True)
    assert by_shots[-1] == pytest.approx(1.22, abs=0.01)


@pytest.mark.parametrize("shots", [1, 2, 8])
def test_a_noisy_error_raises_its_own_weight(shots: int) -> None:
    """Cov(ê, ln ê) = 2e/K: in the batch in which they are measured, large draws have large weights."""
    matrix, _ = class_error_matrix(*squared_errors(4, shots, 100000))
    error = matrix.flatten()
    covariance = (error * error.log()).mean() - error.mean() * error.log().mean()
    assert float(covariance) == pytest.approx(2 / shots, rel=0.03)


def remembered_weight(memory: Memory, classes: int, ways: int, shots: int, batches: int) -> float:
    """Return the mean weight in the last tenth of batches, through which the classes rotate."""
    loss, generator = ReMSELoss(1.0, 0.0, memory=memory), torch.Generator().manual_seed(0)
    order, means = torch.arange(classes), []
    for batch in range(batches):
        present = order.roll(-ways * batch)[:ways]
        squared = torch.randn(ways * shots, 400, generator=generator, dtype=torch.float64).square()
        weights = loss.weights(squared, present.repeat_interleave(shots))
        if batch >= 0.9 * batches:
            means.append(float(weights.mean()))
    return sum(means) / len(means)


def test_running_memory_compares_all_classes_with_the_same_noise() -> None:
    """With 64 classes, 16 at a time, the minimum is over 64 errors, and the weights are larger."""
    assert remembered_weight("batch", 64, 16, 2, 40) == pytest.approx(expected_weight(16, 2), rel=0.02)
    assert remembered_weight("running", 64, 16, 2, 40) == pytest.approx(expected_weight(64, 2), rel=0.02)
    assert expected_weight(64, 2) > 1.3 * expected_weight(16, 2)


def test_ema_memory_acts_like_more_shots() -> None:
    """Decay d leaves (1 − d)/(1 + d) of the variance, so with 0.9 two shots are equivalent to 38."""
    shots = 2 * 1.9 / 0.1
    got = remembered_weight("ema", 16, 16, 2, 100)
    assert got == pytest.approx(expected_weight(16, shots), rel=0.03)
    assert got == pytest.approx(1.40, abs=0.03)


def test_the_lag_of_ema_cancels_if_all_classes_fall_at_one_rate() -> None:
    loss, labels = ReMSELoss(1.0, 0.0, memory="ema"), torch.arange(3)
    errors = torch.tensor([[1.0], [2.0], [5.0]], dtype=torch.float64)
    for step in range(50):
        weights = loss.weights(errors * math.exp(-0.05 * step), labels)
    torch.testing.assert_close(weights, rebalancing_weights(errors, 1.0, 0.0))
