"""Small problems with known optima, for the statements of docs/theory.md; all numbers are float64."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from rezsl.data import Benchmark
from rezsl.functional import class_error_matrix, rebalancing_weights

Powers = tuple[float, float]


def theil(errors: Tensor) -> Tensor:
    """Return Theil's index over the first dimension, the mean of (e/ē) ln(e/ē); it is 0 where all errors are equal."""
    ratio = errors / errors.mean(dim=0)
    index: Tensor = torch.special.xlogy(ratio, ratio).mean(dim=0)
    return index


def slope(x: Tensor, y: Tensor) -> float:
    """Return the slope of the least-squares line through the logarithms."""
    x, y = x.log() - x.log().mean(), y.log() - y.log().mean()
    return float((x * y).sum() / x.square().sum())


class QuadraticErrors(NamedTuple):
    """One attribute, n classes, P shared parameters: e_c(θ) = floor_c + (θ − optimum_c)ᵀ curvature_c (θ − optimum_c).

    A linear model has such errors: curvature is the mean of x xᵀ over the class, optimum its own least-squares
    solution, and floor the error that remains there.
    """

    curvature: Tensor
    optimum: Tensor
    floor: Tensor

    def errors(self, parameters: Tensor) -> Tensor:
        apart = parameters - self.optimum
        return self.floor + torch.einsum("ci,cij,cj->c", apart, self.curvature, apart)

    def solve(self, weights: Tensor) -> Tensor:
        """Return the parameters with the smallest Σ_c w_c e_c."""
        matrix = torch.einsum("c,cij->ij", weights, self.curvature)
        solution: Tensor = torch.linalg.solve(
            matrix, torch.einsum("c,cij,cj->i", weights, self.curvature, self.optimum)
        )
        return solution

    def remse(self, class_power: float) -> tuple[Tensor, bool]:
        """Return parameters that are optimal under the weights of their own errors, and whether the iteration converged."""

        def step(parameters: Tensor) -> Tensor:
            matrix = self.errors(parameters).unsqueeze(1)
            return self.solve(rebalancing_weights(matrix, class_power, 0.0).squeeze(1))

        # A larger power needs smaller steps, because a full step would overshoot.
        start, damping = self.solve(torch.ones(len(self.floor), dtype=torch.float64)), 0.6 / (1 + class_power)
        return fixed_point(step, start, damping, rounds=400 if class_power <= 1 else 2000)


def fixed_point(
    step: Callable[[Tensor], Tensor], start: Tensor, damping: float = 0.5, rounds: int = 200
) -> tuple[Tensor, bool]:
    """Approach x with step(x) = x by damped steps, and return it and whether the iteration converged."""
    current = start
    for _ in range(rounds):
        following = step(current)
        if float((following - current).abs().max()) < 1e-11 * float(1 + current.abs().max()):
            return following, True
        current = current + damping * (following - current)
    return current, False


class LinearProblem(NamedTuple):
    """An unconstrained linear read-out with bias, in which every attribute has its own row of parameters."""

    features: Tensor
    target: Tensor
    labels: Tensor

    @classmethod
    def of(cls, benchmark: Benchmark) -> "LinearProblem":
        assert isinstance(benchmark.inputs, Tensor)
        features = torch.cat([benchmark.inputs.double(), torch.ones(len(benchmark.labels), 1)], dim=1)
        return cls(features, benchmark.semantics.values.double()[benchmark.labels], benchmark.labels)

    def solve(self, weights: Tensor) -> Tensor:
        """Return the read-out ``[D, S]`` with the smallest Σ_is w_is E_is, by normal equations for each attribute."""
        left = torch.einsum("is,id,ie->sde", weights, self.features, self.features)
        right = torch.einsum("is,id->sd", weights * self.target, self.features)
        solution: Tensor = torch.linalg.solve(left, right).T
        return solution

    def matrix(self, readout: Tensor) -> Tensor:
        """Return the class error matrix ``[K, S]`` of a read-out."""
        return class_error_matrix((self.features @ readout - self.target).square(), self.labels)[0]

    def mse(self) -> Tensor:
        return self.solve(torch.ones_like(self.target))

    def remse(self, powers: Powers) -> tuple[Tensor, bool]:
        return fixed_point(
            lambda readout: self.solve(rebalancing_weights(self.matrix(readout), *powers)[self.labels]), self.mse()
        )
