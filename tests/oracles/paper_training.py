"""Training of the paper's experiments on given regions, from given weights: in plain torch, step by step.

For a batch of B images with regions F [B, R, D], labels y, word vectors V [S, L] and class semantics A [C, S]:

    q_s = W_q V_s + b_q      K_r = W_k F_r + b_k      U_r = W_v F_r + b_v      a_s = softmax over r of q_s . K_r
    z_s = W_o (sum_r a_sr U_r) + b_o      prediction_s = <H (mean_r F_r + ratio z_s) + b_H, P_s>   (without H: no layer)

    score_c = scale * cosine(prediction, A_c)      cross entropy over the C classes
    E_is = (prediction_is / |prediction_i| - A_ys / |A_y|)^2      e_cs = mean of E_is over the images of class c
    w_cs = (1 + ln(e_cs / min_c' e_c's))^class_power * (1 + ln(e_cs / min_s' e_cs'))^semantic_power
    objective = cross entropy + loss_weight * mean over i, s of w_ys E_is      no gradient through w

    v = momentum v + gradient + weight_decay weight      weight = weight - rate(epoch) v      for every weight and bias
    rate(epoch) = learning_rate * step_factor^(multiples of step_epochs up to epoch)      epochs from 1
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

Weights = dict[str, Tensor]


class Recipe(NamedTuple):
    """The settings of an experiment. With ``running`` a class keeps the e of the last batch that had it."""

    ratio: float
    scale: float
    class_power: float
    semantic_power: float
    running: bool
    loss_weight: float
    learning_rate: float
    step_factor: float
    step_epochs: int = 10
    momentum: float = 0.9
    weight_decay: float = 1e-5


def predict(weights: Weights, regions: Tensor, words: Tensor, ratio: float) -> Tensor:
    """Return the predicted attributes, [B, S]."""
    queries = words @ weights["query.weight"].T + weights["query.bias"]  # [S, M]
    keys = regions @ weights["key.weight"].T + weights["key.bias"]  # [B, R, M]
    values = regions @ weights["value.weight"].T + weights["value.bias"]  # [B, R, M]
    attention = torch.exp(torch.einsum("sm,brm->bsr", queries, keys))
    attention = attention / attention.sum(dim=2, keepdim=True)
    seen = torch.einsum("bsr,brm->bsm", attention, values)
    located = seen @ weights["output.weight"].T + weights["output.bias"]  # [B, S, D]
    whole = regions.mean(dim=1).unsqueeze(1) + ratio * located
    if "hidden.weight" in weights:
        whole = whole @ weights["hidden.weight"].T + weights["hidden.bias"]
    return torch.einsum("bsd,sd->bs", whole, weights["readout"])


def units(rows: Tensor) -> Tensor:
    """Return rows of length 1."""
    return rows / rows.square().sum(dim=1, keepdim=True).sqrt()


def cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """Return the mean of ln sum_c exp(score_c) - score_y."""
    exponentials = torch.exp(scores - scores.max())
    shares = exponentials / exponentials.sum(dim=1, keepdim=True)
    return -torch.stack([shares[i, int(label)].log() for i, label in enumerate(labels)]).mean()


def error_weights(errors: Tensor, labels: Tensor, memory: dict[int, list[float]], recipe: Recipe) -> Tensor:
    """Return w_ys for each image and attribute, [B, S]; the memory of e is updated in place."""
    if not recipe.running:
        memory.clear()
    for label in set(labels.tolist()):
        memory[label] = errors[labels == label].detach().mean(dim=0).tolist()
    columns = range(errors.shape[1])
    least_of_attribute = [min(row[s] for row in memory.values()) for s in columns]
    table = {
        label: [
            (1 + math.log(row[s] / least_of_attribute[s])) ** recipe.class_power
            * (1 + math.log(row[s] / min(row))) ** recipe.semantic_power
            for s in columns
        ]
        for label, row in memory.items()
    }
    return torch.tensor([table[label] for label in labels.tolist()], dtype=errors.dtype)


def train(
    start: Weights,
    regions: Tensor,
    labels: Tensor,
    class_semantics: Tensor,
    words: Tensor,
    epochs: list[list[list[int]]],
    recipe: Recipe,
) -> Weights:
    """Return the weights after the epochs, each a list of batches, each a list of rows of regions and labels."""
    weights = {name: weight.double().clone().requires_grad_() for name, weight in start.items()}
    velocities = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    targets, memory = units(class_semantics.double()), dict[int, list[float]]()
    for epoch, batches in enumerate(epochs, start=1):
        rate = recipe.learning_rate * recipe.step_factor ** (epoch // recipe.step_epochs)
        for batch in batches:
            prediction = units(predict(weights, regions[batch].double(), words.double(), recipe.ratio))
            errors = (prediction - targets[labels[batch]]) ** 2
            rebalanced = error_weights(errors, labels[batch], memory, recipe) * errors
            classification = cross_entropy(recipe.scale * prediction @ targets.T, labels[batch])
            objective = classification + recipe.loss_weight * rebalanced.mean()
            gradients = torch.autograd.grad(objective, list(weights.values()))
            with torch.no_grad():
                for name, gradient in zip(weights, gradients, strict=True):
                    decayed = gradient + recipe.weight_decay * weights[name]
                    velocities[name] = recipe.momentum * velocities[name] + decayed
                    weights[name] -= rate * velocities[name]
    return {name: weight.detach() for name, weight in weights.items()}
