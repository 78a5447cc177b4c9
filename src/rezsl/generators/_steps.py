"""Networks, random numbers and steps of training that generators share."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer

from rezsl.functional.generative import Latent, gradient_penalty
from rezsl.functional.shapes import Labels

SLOPE = 0.2
"""The slope of negative values in generators and critics, as in the papers."""

BETAS = (0.5, 0.999)
"""The decay rates of Adam for generators and critics, as in the papers."""


class Samples(NamedTuple):
    """Training samples in the units of a generator.

    Attributes:
        features: scaled features, ``[B, D]``.
        conditions: scaled class semantics of each sample, ``[B, S]``.
        labels: class of each sample, ``[B]``.
    """

    features: Float[Tensor, "B D"]
    conditions: Float[Tensor, "B S"]
    labels: Labels


def root_mean_square(numbers: Tensor) -> Float[Tensor, ""]:
    """Return the root of the mean square of all numbers; 1 where all are 0."""
    mean = numbers.square().mean().sqrt()
    return torch.where(mean > 0, mean, 1.0)


def drawn(shape: tuple[int, ...], noise: torch.Generator, like: Tensor) -> Tensor:
    """Return standard normal numbers from a generator of the CPU, on the device and in the dtype of a tensor."""
    return torch.randn(shape, generator=noise).to(like)


def perceptron(inputs: int, hidden: int, outputs: int, slope: float = 0.0, dropout: float = 0.0) -> nn.Sequential:
    """Return a network with one hidden layer, whose negative values are multiplied by ``slope``."""
    layers = [nn.Linear(inputs, hidden), nn.LeakyReLU(slope), nn.Dropout(dropout), nn.Linear(hidden, outputs)]
    return nn.Sequential(*layers)


def encoded(encoder: nn.Module, inputs: Tensor) -> tuple[Latent, Latent]:
    """Return the mean and the logarithm of the variance of latents, ``[B, Z]`` each."""
    mean, log_variance = encoder(inputs).chunk(2, dim=1)
    return mean, log_variance


def train_critic(
    critic: nn.Module, optimizer: Optimizer, samples: Samples, made: Float[Tensor, "B D"], gradient_weight: float
) -> Tensor:
    """Train a critic of features beside their conditions by one step; return the distance that it measured.

    It learns to score real features of a condition higher than made ones, with a slope of length 1 between them, see
    :func:`rezsl.functional.generative.gradient_penalty`.
    """

    def judged(features: Float[Tensor, "B D"]) -> Float[Tensor, "B"]:
        scores: Tensor = critic(torch.cat([features, samples.conditions], dim=1))
        return scores.squeeze(1)

    distance = judged(samples.features).mean() - judged(made).mean()
    share = torch.rand(len(made), 1).to(made)
    penalty = gradient_penalty(judged, samples.features, made, share)
    optimizer.zero_grad()
    (gradient_weight * penalty - distance).backward()
    optimizer.step()
    return distance.detach()


def shuffled_batches(count: int, size: int) -> Iterator[Tensor]:
    """Yield batches of shuffled indices without end; every index occurs about equally often."""
    while True:
        order = torch.randperm(count)
        yield from (order[first : first + size] for first in range(0, max(1, count - size + 1), size))
