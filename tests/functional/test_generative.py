import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rezsl.functional.generative import (
    draw_latent,
    gaussian_wasserstein,
    gradient_penalty,
    kl_to_standard_normal,
    warm_up,
)
from tests.oracles import generative as oracle


@pytest.mark.parametrize(("mean", "log_variance"), [(0.0, 0.0), (1.5, -1.0), (-0.3, 1.2), (0.0, -4.0)])
def test_the_divergence_is_the_integral(mean: float, log_variance: float) -> None:
    found = kl_to_standard_normal(torch.tensor([[mean]]).double(), torch.tensor([[log_variance]]).double())
    assert float(found) == pytest.approx(oracle.kl_by_integration(mean, log_variance), abs=1e-6)


def test_the_divergence_adds_up_over_dimensions_and_keeps_samples_apart(generator: torch.Generator) -> None:
    mean, log_variance = torch.randn(2, 5, 3, generator=generator)
    each = [
        [float(kl_to_standard_normal(mean[i, j].view(1, 1), log_variance[i, j].view(1, 1))) for j in range(3)]
        for i in range(5)
    ]
    torch.testing.assert_close(kl_to_standard_normal(mean, log_variance), torch.tensor(each).sum(dim=1))


def test_latents_have_the_mean_and_the_deviation_of_their_distribution(generator: torch.Generator) -> None:
    mean, log_variance = torch.tensor([2.0, -1.0]).expand(200_000, 2), torch.tensor([-2.0, 1.0]).expand(200_000, 2)
    drawn = draw_latent(mean, log_variance, torch.randn(200_000, 2, generator=generator))
    torch.testing.assert_close(drawn.mean(dim=0), mean[0], atol=0.02, rtol=0)
    torch.testing.assert_close(drawn.var(dim=0), log_variance[0].exp(), atol=0, rtol=0.02)


def test_the_distance_of_gaussians_is_the_general_one_for_diagonal_covariances(generator: torch.Generator) -> None:
    mean, log_variance, other_mean, other_log_variance = torch.randn(4, 6, 3, generator=generator, dtype=torch.float64)
    found = gaussian_wasserstein(mean, log_variance, other_mean, other_log_variance)
    for i in range(6):
        parts = (mean[i], log_variance[i].exp(), other_mean[i], other_log_variance[i].exp())
        assert float(found[i]) == pytest.approx(oracle.wasserstein_of_gaussians(*(part.numpy() for part in parts)))


def test_equal_gaussians_have_the_distance_0_and_a_finite_gradient() -> None:
    mean, log_variance = torch.ones(2, 3, requires_grad=True), torch.zeros(2, 3, requires_grad=True)
    distance = gaussian_wasserstein(mean, log_variance, torch.ones(2, 3), torch.zeros(2, 3))
    distance.sum().backward()
    assert distance.tolist() == [0.0, 0.0]
    assert mean.grad is not None
    assert mean.grad.abs().max() == 0


def test_the_gradient_penalty_is_that_of_differences(generator: torch.Generator) -> None:
    layers = [
        (torch.randn(4, 3, generator=generator), torch.randn(4, generator=generator)),
        (torch.randn(1, 4, generator=generator), torch.zeros(1)),
    ]
    layers = [(weight.double(), bias.double()) for weight, bias in layers]
    real, made = torch.randn(2, 7, 3, generator=generator, dtype=torch.float64)
    share = torch.rand(7, 1, generator=generator, dtype=torch.float64)

    def critic(features: torch.Tensor) -> torch.Tensor:
        (first, first_bias), (last, last_bias) = layers
        return (torch.tanh(features @ first.T + first_bias) @ last.T + last_bias).squeeze(1)

    def score(point: np.ndarray) -> float:
        return float(critic(torch.from_numpy(point).unsqueeze(0)))

    expected = oracle.gradient_penalty(score, real.numpy(), made.numpy(), share.squeeze(1).numpy())
    assert float(gradient_penalty(critic, real, made, share).detach()) == pytest.approx(expected, rel=1e-6)


def test_the_gradient_penalty_teaches_the_critic_a_slope_of_1(generator: torch.Generator) -> None:
    slope = torch.tensor([3.0, 4.0], requires_grad=True)
    real, made = (part.clone().requires_grad_() for part in torch.randn(2, 5, 2, generator=generator))
    penalty = gradient_penalty(lambda features: features @ slope, real, made, torch.rand(5, 1, generator=generator))
    penalty.backward()
    assert float(penalty.detach()) == pytest.approx(16.0)  # (5 − 1)²
    torch.testing.assert_close(slope.grad, 2 * 4 * slope.detach() / 5)
    # The samples themselves receive no gradient: the penalty belongs to the critic alone.
    assert real.grad is None
    assert made.grad is None


@given(st.floats(0, 1), st.floats(0, 0.5), st.floats(0.51, 1))
def test_weights_rise_from_0_to_1_and_never_fall(progress: float, begin: float, end: float) -> None:
    share = warm_up(progress, begin, end)
    assert 0 <= share <= 1
    assert warm_up(begin, begin, end) == 0
    assert warm_up(end, begin, end) == 1
    assert warm_up(min(1.0, progress + 0.01), begin, end) >= share
