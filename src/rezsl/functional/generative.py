"""The terms in the losses of generators of features: of variational autoencoders and of Wasserstein critics.

A Gaussian with independent dimensions is given by its mean and by the logarithm of its variance, ``[B, Z]`` each.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.functional.shapes import checked

Latent = Float[Tensor, "B Z"]
Critic = Callable[[Float[Tensor, "B D"]], Float[Tensor, "B"]]


@checked
def draw_latent(mean: Latent, log_variance: Latent, noise: Latent) -> Latent:
    """Return z = μ + σ · noise, through which gradients reach μ and σ (Kingma and Welling, ICLR 2014, section 2.4)."""
    return mean + (log_variance / 2).exp() * noise


@checked
def kl_to_standard_normal(mean: Latent, log_variance: Latent) -> Float[Tensor, "B"]:
    """Compute the Kullback-Leibler divergence of N(μ, σ²) from N(0, I), ``½ Σ_z (μ² + σ² − 1 − ln σ²)``, in nats.

    Kingma and Welling, ICLR 2014, appendix B.

    >>> kl_to_standard_normal(torch.tensor([[0.0, 2.0]]), torch.zeros(1, 2))
    tensor([2.])
    """
    return (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1) / 2


@checked
def gaussian_wasserstein(
    mean: Latent, log_variance: Latent, other_mean: Latent, other_log_variance: Latent
) -> Float[Tensor, "B"]:
    """Compute the 2-Wasserstein distance of two Gaussians, ``√(‖μ₁ − μ₂‖² + ‖σ₁ − σ₂‖²)``.

    CADA-VAE (Schönfeld et al., CVPR 2019), equation (6). Two equal Gaussians have the distance 0 and a gradient of 0.

    >>> gaussian_wasserstein(torch.zeros(1, 2), torch.zeros(1, 2), torch.tensor([[3.0, 4.0]]), torch.zeros(1, 2))
    tensor([5.])
    """
    deviations = (log_variance / 2).exp() - (other_log_variance / 2).exp()
    square = (mean - other_mean).square().sum(dim=1) + deviations.square().sum(dim=1)
    # The slope of a root is infinite at 0, and infinity times 0 is no number.
    apart = square > 0
    return torch.where(apart, torch.where(apart, square, 1.0).sqrt(), 0.0)


@checked
def gradient_penalty(
    critic: Critic, real: Float[Tensor, "B D"], made: Float[Tensor, "B D"], share: Float[Tensor, "B 1"]
) -> Float[Tensor, ""]:
    """Compute the mean of (‖∇ critic(x̂)‖ − 1)² at x̂ = share · real + (1 − share) · made.

    WGAN-GP (Gulrajani et al., NeurIPS 2017), equation (3); as λ times this term in f-CLSWGAN, equation (2). The result
    is differentiable with respect to the critic's weights.

    Args:
        critic: the score of each sample; a conditional critic has its condition bound already.
        real: features of samples.
        made: features that a generator made of the same conditions.
        share: uniform random numbers in [0, 1].
    """
    between = torch.lerp(made.detach(), real.detach(), share).requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    penalty: Tensor = (torch.linalg.vector_norm(slope, dim=1) - 1).square().mean()
    return penalty


def warm_up(progress: float, begin: float, end: float) -> float:
    """Return a weight's share at a point of the training: 0 until ``begin``, 1 from ``end`` on, linear in between.

    CADA-VAE raises the weights of its terms in this way. All arguments are shares of the training in [0, 1].

    >>> [warm_up(progress, 0.0, 0.5) for progress in (0.0, 0.25, 0.9)]
    [0.0, 0.5, 1.0]
    """
    if progress >= end:
        return 1.0
    return max(0.0, (progress - begin) / (end - begin))
