"""docs/theory.md, section 5: training that stops before its optimum, with errors that can all reach 0.

Every cell has its own parameter, and only the rates k_c differ: e_c = k_c d_c² with the distance d_c to the optimum, so
that gradient descent follows d ln e_c / dt = −(4 k_c / n) w_c.
"""

import math

import pytest
import torch
from torch import Tensor, nn

from rezsl.losses import MSELoss, RegressionLoss, ReMSELoss
from tests.theory.problems import theil

RATES = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)
HARMONIC_MEAN = float(1 / (1 / RATES).mean())


def descend(loss: RegressionLoss, time: float, step: float = 0.01, rates: Tensor = RATES) -> Tensor:
    """Return the errors along gradient descent from e = 1 in all classes, ``[time / step + 1, n]``."""
    count = len(rates)
    apart, labels = rates.rsqrt().requires_grad_(), torch.arange(count)
    zeros, errors = torch.zeros(count, 1, dtype=torch.float64), []
    for _ in range(round(time / step) + 1):
        prediction = (rates.sqrt() * apart).unsqueeze(1)
        errors.append(prediction.detach().square().squeeze(1))
        (gradient,) = torch.autograd.grad(loss(prediction, zeros, labels), apart)
        apart.data -= step * gradient
    return torch.stack(errors)


def decay(errors: Tensor, step: float = 0.01) -> Tensor:
    """Return −d ln e / dt over the last step."""
    rate: Tensor = (errors[-2] / errors[-1]).log() / step
    return rate


def test_under_mse_each_class_has_its_own_rate_and_the_ratios_diverge() -> None:
    errors = descend(MSELoss(normalize=False), time=6)
    torch.testing.assert_close(decay(errors), 4 * RATES / 3, rtol=0.02, atol=0)
    spread = (errors.amax(dim=1) / errors.amin(dim=1)).log()
    assert bool((spread.diff() > 0).all())


@pytest.mark.parametrize("power", [1.0, 2.0, 4.0])
def test_under_remse_all_classes_fall_at_one_rate_at_constant_ratios(power: float) -> None:
    """At unit mean weight this rate is the harmonic mean; ln(e_c/m) ends at (k_max/k_c)^(1/p) − 1."""
    errors = descend(ReMSELoss(power, 0.0, normalize=False, unit_mean=True), time=5)
    torch.testing.assert_close(decay(errors), torch.full_like(RATES, 4 * HARMONIC_MEAN / 3), rtol=0.03, atol=0)
    log_ratio = (errors[-1] / errors[-1].min()).log()
    torch.testing.assert_close(log_ratio, (4 / RATES) ** (1 / power) - 1, rtol=0.04, atol=0.02)


def test_equally_fast_classes_become_equal_under_remse_only() -> None:
    """ln(e_c/m) falls like exp(−4kt/n) under class power 1; under MSE it is constant."""
    start = torch.tensor([1.0, 0.25, 0.01], dtype=torch.float64).sqrt()
    for loss, left in ((MSELoss(normalize=False), 1.0), (ReMSELoss(1.0, 0.0, normalize=False), math.exp(-4 / 3))):
        apart, zeros = start.clone().requires_grad_(), torch.zeros(3, 1, dtype=torch.float64)
        for _ in range(400):
            (gradient,) = torch.autograd.grad(loss(apart.unsqueeze(1), zeros, torch.arange(3)), apart)
            apart.data -= 0.0025 * gradient
        errors = apart.detach().square()
        expected = left * (start.square() / start.square().min()).log()
        torch.testing.assert_close((errors / errors.min()).log(), expected, rtol=0.01, atol=1e-9)


def test_remse_lowers_the_mean_and_the_spread_but_not_at_once() -> None:
    """At unit mean weight, the fast classes first lose more than the slow ones gain; then the worst class dominates."""
    plain = descend(MSELoss(normalize=False), time=3)
    even = descend(ReMSELoss(1.0, 0.0, normalize=False, unit_mean=True), time=3)
    assert bool((theil(even.T)[2:] < theil(plain.T)[2:]).all())
    assert bool((even.amax(dim=1)[2:] < plain.amax(dim=1)[2:]).all())
    larger = even.mean(dim=1) > plain.mean(dim=1)
    crossing = int(larger.nonzero().max())
    assert bool(larger[10:crossing].all())
    assert float(plain[crossing].mean()) == pytest.approx(1 / 3, abs=0.01)
    assert float(even[-1].mean() / plain[-1].mean()) == pytest.approx(1 / 6, abs=0.01)
    assert float(even[-1].std()) < 0.2 * float(plain[-1].std())


def test_adam_cancels_the_weight_of_a_parameter_that_serves_one_cell() -> None:
    """Adam divides the gradient of each parameter by its own size, which contains the same constant weight."""
    ways = []
    for weights in (torch.ones(3), torch.tensor([1.0, 7.0, 40.0])):
        apart = nn.Parameter(torch.ones(3, dtype=torch.float64))
        optimizer = torch.optim.Adam([apart], lr=0.01, eps=1e-30)
        for _ in range(50):
            optimizer.zero_grad()
            (weights * RATES * apart.square()).sum().backward()
            optimizer.step()
        ways.append(apart.detach().clone())
    torch.testing.assert_close(ways[0], ways[1], rtol=1e-9, atol=0)
