"""Small problems whose optima are known, for the statements of docs/theory.md. Everything is float64."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from rezsl.data import Benchmark
from rezsl.functional import class_error_matrix, rebalancing_weights

Powers = tuple[float, float]


def theil(errors: Tensor) -> Tensor:
    """Theil's index over the first dimension: mean of (e/ē) ln(e/ē); 0 where all are equal."""
    ratio = errors / errors.mean(dim=0)
    index: Tensor = torch.special.xlogy(ratio, ratio).mean(dim=0)
    return index


def slope(x: Tensor, y: Tensor) -> float:
    """Of the least-squares line through the logarithms."""
    x, y = x.log() - x.log().mean(), y.log() - y.log().mean()
    return float((x * y).sum() / x.square().sum())


class QuadraticErrors(NamedTuple):
    """One semantic, n classes, P shared parameters: e_c(θ) = floor_c + (θ − wish_c)ᵀ curvature_c (θ − wish_c).

    What a linear model has: curvature is the mean of x xᵀ over the class, wish its own least-squares solution, and
    floor what no parameters explain.
    """

    curvature: Tensor
    wish: Tensor
    floor: Tensor

    def errors(self, parameters: Tensor) -> Tensor:
        apart = parameters - self.wish
        return self.floor + torch.einsum("ci,cij,cj->c", apart, self.curvature, apart)

    def solve(self, weights: Tensor) -> Tensor:
        """The minimum of Σ_c w_c e_c."""
        matrix = torch.einsum("c,cij->ij", weights, self.curvature)
        solution: Tensor = torch.linalg.solve(matrix, torch.einsum("c,cij,cj->i", weights, self.curvature, self.wish))
        return solution

    def remse(self, class_power: float) -> tuple[Tensor, bool]:
        """Parameters that are optimal under their own errors' weights, and whether the iteration found them."""

        def step(parameters: Tensor) -> Tensor:
            matrix = self.errors(parameters).unsqueeze(1)
            return self.solve(rebalancing_weights(matrix, class_power, 0.0).squeeze(1))

        # The larger the power, the more a step would overshoot.
        start, damping = self.solve(torch.ones(len(self.floor), dtype=torch.float64)), 0.6 / (1 + class_power)
        return fixed_point(step, start, damping, rounds=400 if class_power <= 1 else 2000)


def fixed_point(
    step: Callable[[Tensor], Tensor], start: Tensor, damping: float = 0.5, rounds: int = 200
) -> tuple[Tensor, bool]:
    """Where step(x) = x, by small steps towards it; it need not be found."""
    current = start
    for _ in range(rounds):
        wanted = step(current)
        if float((wanted - current).abs().max()) < 1e-11 * float(1 + current.abs().max()):
            return wanted, True
        current = current + damping * (wanted - current)
    return current, False


class LinearProblem(NamedTuple):
    """An unconstrained linear read-out with bias: every semantic has its own row of parameters."""

    features: Tensor
    target: Tensor
    labels: Tensor

    @classmethod
    def of(cls, benchmark: Benchmark) -> "LinearProblem":
        assert isinstance(benchmark.inputs, Tensor)
        features = torch.cat([benchmark.inputs.double(), torch.ones(len(benchmark.labels), 1)], dim=1)
        return cls(features, benchmark.semantics.values.double()[benchmark.labels], benchmark.labels)

    def solve(self, weights: Tensor) -> Tensor:
        """The minimum of Σ_is w_is E_is, ``[D, S]``: one system of normal equations per semantic."""
        left = torch.einsum("is,id,ie->sde", weights, self.features, self.features)
        right = torch.einsum("is,id->sd", weights * self.target, self.features)
        solution: Tensor = torch.linalg.solve(left, right).T
        return solution

    def matrix(self, readout: Tensor) -> Tensor:
        """Class error matrix ``[K, S]``."""
        return class_error_matrix((self.features @ readout - self.target).square(), self.labels)[0]

    def mse(self) -> Tensor:
        return self.solve(torch.ones_like(self.target))

    def remse(self, powers: Powers) -> tuple[Tensor, bool]:
        return fixed_point(
            lambda readout: self.solve(rebalancing_weights(self.matrix(readout), *powers)[self.labels]), self.mse()
        )
