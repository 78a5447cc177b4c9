"""One update of each generator against the formulas of its paper."""

from collections.abc import Callable
from copy import deepcopy
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from rezsl.functional.generative import warm_up
from rezsl.generators import CADAVAE, CLSWGAN, TFVAEGAN, GenerativeModel
from rezsl.generators._steps import Samples
from rezsl.generators.cada_vae import CROSS_RISES, DISTANCE_RISES, KL_RISES
from tests.models.tables import table
from tests.oracles import generative as oracle

SLOPE = 0.2
Function = Callable[[np.ndarray], np.ndarray]


def layers_of(network: nn.Module) -> list[tuple[np.ndarray, np.ndarray]]:
    linear = [part for part in network.modules() if isinstance(part, nn.Linear)]
    return [(layer.weight.detach().numpy().copy(), layer.bias.detach().numpy().copy()) for layer in linear]


def function_of(network: nn.Module, slope: float) -> Function:
    layers = layers_of(network)
    return lambda x: oracle.perceptron(x, layers, slope)


def drawn(count: int = 5) -> Samples:
    generator = torch.Generator().manual_seed(2)
    features, conditions = (torch.randn(count, size, generator=generator, dtype=torch.float64) for size in (6, 4))
    return Samples(features, conditions, torch.arange(count) % 3)


def quiet(model: GenerativeModel) -> GenerativeModel:
    """The model in double precision, with learning rates of 0, so that the steps of an update change nothing."""
    return model.double().train()


def optimizers_of(model: GenerativeModel) -> list[torch.optim.Optimizer]:
    optimizers = model.optimizers()
    for group in (group for optimizer in optimizers for group in optimizer.param_groups):
        group["lr"] = 0.0
    return optimizers


@pytest.mark.parametrize("progress", [0.1, 0.4, 0.95])
def test_cada_vae_minimises_the_loss_of_its_paper(progress: float) -> None:
    samples = drawn()
    model = CADAVAE(
        6, table(4), latent_dim=3, hidden_dim=5, dropout=0.0, kl_weight=0.3, cross_weight=2.0, distance_weight=0.7
    )
    quiet(model)
    parts = {"E_x": model.encoder, "E_a": model.semantic_encoder, "D_x": model.decoder, "D_a": model.semantic_decoder}
    networks = {name: function_of(part, 0.0) for name, part in parts.items()}
    torch.manual_seed(7)
    noise = (torch.randn(5, 3, dtype=torch.float64).numpy(), torch.randn(5, 3, dtype=torch.float64).numpy())
    torch.manual_seed(7)
    losses = model.update(lambda: samples, optimizers_of(model), progress)
    weights = (
        0.3 * warm_up(progress, *KL_RISES), 2.0 * warm_up(progress, *CROSS_RISES), 0.7 * warm_up(progress, *DISTANCE_RISES)
    )  # fmt: skip
    expected = oracle.cada_vae_loss(samples.features.numpy(), samples.conditions.numpy(), noise, networks, weights)
    assert float(losses["total"].detach()) == pytest.approx(expected, rel=1e-9)


def critic_loss(
    critic: Function, real: np.ndarray, made: np.ndarray, conditions: np.ndarray, share: np.ndarray, weight: float
) -> float:
    """What the critic minimises: E[D(x̃, a)] − E[D(x, a)] + λ penalty."""

    def score(i: int, x: np.ndarray) -> float:
        return float(critic(np.concatenate([x, conditions[i]]))[0])

    count = len(real)
    distance = sum(score(i, made[i]) - score(i, real[i]) for i in range(count)) / count
    penalty = 0.0
    for i in range(count):
        penalty += oracle.gradient_penalty(partial(score, i), real[i : i + 1], made[i : i + 1], share[i : i + 1])
    return distance + weight * penalty / count


class Recorder(torch.optim.Optimizer):
    """An optimizer that changes nothing and keeps the gradients of its steps."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__(list(network.parameters()), {"lr": 0.0})
        self.network, self.gradients = network, list[list[torch.Tensor]]()

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Keep the gradients."""
        self.gradients.append([deepcopy(p.grad) for p in self.network.parameters() if p.grad is not None])


def slope_by_differences(loss: Callable[[], float], weight: torch.Tensor, place: tuple[int, ...]) -> float:
    step, values = 1e-5, []
    for sign in (1, -1):
        with torch.no_grad():
            weight[place] += sign * step
            values.append(loss())
            weight[place] -= sign * step
    return (values[0] - values[1]) / (2 * step)


def test_clswgan_trains_critic_and_generator_by_the_losses_of_its_paper() -> None:
    samples = drawn()
    options = {"noise_dim": 2, "hidden_dim": 5, "critic_steps": 1, "gradient_weight": 3.0, "class_weight": 0.4}
    model = CLSWGAN(6, table(4), **options)  # type: ignore[arg-type]
    quiet(model)
    model.begin(samples, torch.rand(3, 4).double())
    optimizers = [Recorder(model.generator), Recorder(model.critic)]
    torch.manual_seed(7)
    critic_noise, share = torch.randn(5, 2).double(), torch.rand(5, 1).double()
    noise = torch.randn(5, 2).double()
    torch.manual_seed(7)
    losses = model.update(lambda: samples, list(optimizers), 0.5)
    real, conditions = samples.features.numpy(), samples.conditions.numpy()

    def made(noise: torch.Tensor) -> np.ndarray:
        generator = function_of(model.generator, SLOPE)
        return np.stack([generator(np.concatenate([z, a])) for z, a in zip(noise.numpy(), conditions, strict=True)])

    def of_critic() -> float:
        return critic_loss(
            function_of(model.critic, SLOPE), real, made(critic_noise), conditions, share[:, 0].numpy(), 3.0
        )

    weight = model.critic[0].weight
    assert isinstance(weight, torch.Tensor)
    for place in ((0, 0), (2, 5), (4, 8)):  # the last one belongs to a condition
        expected = slope_by_differences(of_critic, weight, place)
        assert float(optimizers[1].gradients[0][0][place]) == pytest.approx(expected, rel=1e-3, abs=1e-7)
    critic, features = function_of(model.critic, SLOPE), made(noise)
    judge_weight, judge_bias = (part.numpy() for part in model._judge)
    total = 0.0
    for i in range(5):
        scores = judge_weight @ features[i] + judge_bias
        total += -float(critic(np.concatenate([features[i], conditions[i]]))[0]) / 5
        total += 0.4 * (np.log(np.exp(scores).sum()) - scores[int(samples.labels[i])]) / 5
    assert float(losses["total"].detach()) == pytest.approx(total, rel=1e-9)


@pytest.mark.parametrize("with_feedback", [False, True])
def test_tf_vaegan_trains_its_generator_by_the_loss_of_its_paper(with_feedback: bool) -> None:
    samples = drawn()
    model = TFVAEGAN(
        6, table(4), latent_dim=2, hidden_dim=5, dropout=0.0, critic_steps=1,
        kl_weight=0.3, critic_weight=0.7, semantic_weight=0.2, feedback=0.5,
    )  # fmt: skip
    quiet(model)
    model._with_feedback = not with_feedback  # the update turns to the other way
    encode, critic, decode = (function_of(part, SLOPE) for part in (model.encoder, model.critic, model.decoder))
    (first, first_bias), (last, last_bias) = layers_of(model.generator)
    (hidden_weight, hidden_bias), _ = layers_of(model.decoder)
    correct = function_of(model.corrector, SLOPE)

    def leaky(x: np.ndarray) -> np.ndarray:
        return np.where(x > 0, x, SLOPE * x)

    torch.manual_seed(7)
    torch.randn(5, 2, dtype=torch.float64)  # of the critic's step
    torch.rand(5, 1)
    noise = torch.randn(5, 2, dtype=torch.float64).numpy()
    torch.manual_seed(7)
    losses = model.update(lambda: samples, optimizers_of(model), 0.5)
    total = 0.0
    for x, a, e in zip(samples.features.numpy(), samples.conditions.numpy(), noise, strict=True):
        code = encode(np.concatenate([x, a]))
        mean, log = code[:2], code[2:]
        hidden = leaky(first @ np.concatenate([mean + np.exp(log / 2) * e, a]) + first_bias)
        made = last @ hidden + last_bias
        if with_feedback:
            made = last @ (hidden + 0.5 * leaky(correct(leaky(hidden_weight @ made + hidden_bias)))) + last_bias
        total += float(((x - made) ** 2).mean())
        total += 0.3 * sum(0.5 * (m**2 + np.exp(v) - 1 - v) for m, v in zip(mean, log, strict=True))
        total -= 0.7 * float(critic(np.concatenate([made, a]))[0])
        total += 0.2 * float(np.abs(decode(made) - a).mean())
    assert float(losses["total"].detach()) == pytest.approx(total / 5, rel=1e-9)
