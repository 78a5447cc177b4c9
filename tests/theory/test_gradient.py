"""docs/theory.md, section 2: the gradient of ReMSE, and the gradient that it would have through its weights."""

import pytest
import torch
from torch import Tensor

from rezsl.functional import class_error_matrix, rebalancing_weights
from rezsl.losses import MSELoss, ReMSELoss


def batch() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(5, (24,), generator=generator)
    table = torch.rand(5, 7, generator=generator, dtype=torch.float64)
    return torch.randn(24, 7, generator=generator, dtype=torch.float64), table[labels], labels


def weights_of(errors: Tensor) -> Tensor:
    """Return the weights of one attribute for class power 1, ``[n] -> [n]``."""
    return rebalancing_weights(errors.unsqueeze(1), 1.0, 0.0).squeeze(1)


def differentiable(errors: Tensor, minimum: Tensor) -> Tensor:
    """Return Σ_c e_c (1 + ln(e_c/m)) with gradients through all of it."""
    return (errors * (1 + (errors / minimum).log())).sum()


@pytest.mark.parametrize("normalize", [True, False])
def test_the_gradient_is_that_of_constant_weights(normalize: bool) -> None:
    prediction, target, labels = batch()
    leaf, other = prediction.clone().requires_grad_(), prediction.clone().requires_grad_()
    ReMSELoss(1.0, 0.5, normalize)(leaf, target, labels).backward()
    squared = MSELoss(normalize).differences(other, target).square()
    matrix, classes = class_error_matrix(squared, labels)
    constant = rebalancing_weights(matrix, 1.0, 0.5)[torch.searchsorted(classes, labels)]
    (constant * squared).mean().backward()
    assert leaf.grad is not None
    assert other.grad is not None
    assert torch.equal(leaf.grad, other.grad)


def test_a_gradient_through_the_weights_would_add_one_mse() -> None:
    """For a fixed minimum, ∂/∂e_c = 2 + ln(e_c/m) = w_c + 1."""
    errors = torch.tensor([0.3, 1.0, 2.5, 0.7], dtype=torch.float64, requires_grad=True)
    differentiable(errors, errors.detach().min()).backward()
    torch.testing.assert_close(errors.grad, weights_of(errors) + 1)


def test_a_gradient_through_the_minimum_would_raise_the_best_error() -> None:
    """∂/∂e_min = 2 − nē/m is negative for any three classes, so descent raises the smallest error."""
    errors = torch.tensor([0.3, 1.0, 2.5], dtype=torch.float64, requires_grad=True)
    differentiable(errors, errors.min()).backward()
    assert errors.grad is not None
    assert float(errors.grad[0]) == pytest.approx(2 - 3.8 / 0.3)
    torch.testing.assert_close(errors.grad[1:], weights_of(errors)[1:] + 1)
    nearly_even = torch.tensor([1.0, 1.0 + 1e-9, 1.0 + 1e-9], dtype=torch.float64, requires_grad=True)
    differentiable(nearly_even, nearly_even.min()).backward()
    assert nearly_even.grad is not None
    assert float(nearly_even.grad[0]) == pytest.approx(-1, abs=1e-6)


def test_for_a_fixed_minimum_the_detached_gradient_is_that_of_another_sum() -> None:
    """The derivative ∂/∂e_c of Σ e ln(e/m) is w_c; this sum is R less one MSE."""
    errors = torch.tensor([0.3, 1.0, 2.5, 0.7], dtype=torch.float64, requires_grad=True)
    (errors * (errors / 0.3).log()).sum().backward()
    torch.testing.assert_close(errors.grad, weights_of(errors))


def test_with_a_moving_minimum_no_function_has_this_gradient() -> None:
    """The Jacobian of the weights is not symmetric: w_c falls with growing e_min, but w_min does not depend on e_c."""
    errors = torch.tensor([0.3, 1.0, 2.5], dtype=torch.float64)
    step = 1e-6
    columns = []
    for c in range(3):
        moved = torch.zeros(3, dtype=torch.float64)
        moved[c] = step
        columns.append((weights_of(errors + moved) - weights_of(errors - moved)) / (2 * step))
    jacobian = torch.stack(columns, dim=1)
    expected = torch.diag(1 / errors)
    expected[:, 0] = torch.tensor([0.0, -1 / 0.3, -1 / 0.3])
    torch.testing.assert_close(jacobian, expected, atol=1e-6, rtol=1e-6)
    assert not torch.allclose(jacobian, jacobian.T)


def test_unit_mean_divides_the_gradient_by_the_mean_weight() -> None:
    prediction, target, labels = batch()
    gradients = []
    for unit_mean in (False, True):
        leaf = prediction.clone().requires_grad_()
        ReMSELoss(1.0, 0.5, unit_mean=unit_mean)(leaf, target, labels).backward()
        assert leaf.grad is not None
        gradients.append(leaf.grad)
    loss = ReMSELoss(1.0, 0.5)
    mean = loss.weights(loss.differences(prediction, target).square(), labels).mean()
    assert float(mean) > 1.5
    torch.testing.assert_close(gradients[1] * mean, gradients[0])
