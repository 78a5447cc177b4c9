"""docs/theory.md, section 1: the terms of the value of ReMSE."""

import math

import pytest
import torch

from rezsl.losses import MSELoss, ReMSELoss
from tests.theory.problems import slope, theil

SKEWED = torch.tensor([-1.0, -0.8, -0.6, 0.1, 2.3], dtype=torch.float64)
SYMMETRIC = torch.tensor([-1.0, -0.3, 0.0, 0.3, 1.0], dtype=torch.float64)


def total(errors: torch.Tensor, class_power: float = 1.0) -> float:
    """Return Σ_c w_c e_c as computed by the loss, for one attribute and one sample per class."""
    prediction = errors.sqrt().unsqueeze(1)
    loss = ReMSELoss(class_power, 0.0, normalize=False)
    return len(errors) * float(loss(prediction, torch.zeros_like(prediction), torch.arange(len(errors))))


def around_the_mean(errors: torch.Tensor, power: float = 1.0) -> float:
    """Return n φ(ē) + (n/2) φ''(ē) Var with φ(x) = x (1 + ln(x/m))^p for a fixed minimum m."""
    n, mean, minimum = len(errors), float(errors.mean()), float(errors.min())
    level: float = 1 + math.log(mean / minimum)
    bend: float = power * level ** (power - 2) * (level + power - 1) / mean
    value: float = n * mean * level**power + n / 2 * bend * float(errors.var(correction=0))
    return value


def spread_out(direction: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Return errors of mean 3 with growing spread, and these spreads."""
    # At larger spreads the next order shows, at smaller ones the rounding.
    sizes = torch.logspace(-3.5, -2.2, 12, dtype=torch.float64) * (1 if direction is SKEWED else 10)
    return sizes, [3 * (1 + size * direction) for size in sizes]


@pytest.mark.parametrize(("direction", "order"), [(SKEWED, 3), (SYMMETRIC, 4)])
def test_mean_and_variance_up_to_the_third_moment(direction: torch.Tensor, order: int) -> None:
    sizes, all_errors = spread_out(direction)
    rest = torch.tensor([abs(total(errors) - around_the_mean(errors)) for errors in all_errors])
    assert slope(sizes, rest) == pytest.approx(order, abs=0.06)


def test_the_third_moment_has_a_minus_sign() -> None:
    _, all_errors = spread_out(SKEWED)
    errors = all_errors[0]
    third = float((errors - 3).pow(3).sum())
    assert total(errors) - around_the_mean(errors) == pytest.approx(-third / (6 * 3**2), rel=0.02)


@pytest.mark.parametrize("power", [0.5, 2.0, 3.0])
def test_every_power_has_mean_and_variance(power: float) -> None:
    sizes, all_errors = spread_out(SKEWED)
    rest = torch.tensor([abs(total(errors, power) - around_the_mean(errors, power)) for errors in all_errors])
    assert slope(sizes, rest) == pytest.approx(3, abs=0.1)


def test_the_mean_times_one_plus_two_inequalities_exactly() -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        errors = torch.randn(9, generator=generator, dtype=torch.float64).mul(3).exp()
        mean = errors.mean()
        factor = 1 + float((mean / errors.min()).log()) + float(theil(errors))
        assert total(errors) == pytest.approx(9 * float(mean) * factor, rel=1e-12)
        assert factor >= 1
        assert total(1e-3 * errors) == pytest.approx(1e-3 * total(errors), rel=1e-12)


def test_the_minimum_acts_before_the_variance() -> None:
    """For a fixed mean, ln(ē/m) grows in proportion to the spread, the variance to its square."""
    sizes, all_errors = spread_out(SKEWED)
    excess = torch.tensor([total(errors) - 5 * 3 for errors in all_errors])
    assert slope(sizes, excess) == pytest.approx(1, abs=0.06)


def test_the_value_can_rise_while_every_error_falls() -> None:
    before, after = torch.tensor([1.0, 1.0, 1.0]).double(), torch.tensor([0.9, 0.9, 0.1]).double()
    assert bool((after < before).all())
    assert total(after) > total(before)
    zeros, labels = torch.zeros(3, 1).double(), torch.arange(3)
    plain = MSELoss(normalize=False)
    assert plain(after.sqrt().unsqueeze(1), zeros, labels) < plain(before.sqrt().unsqueeze(1), zeros, labels)
