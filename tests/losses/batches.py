"""Small random problems for tests of losses."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rezsl.losses import RegressionLoss
from tests.oracles.gradient import numerical_gradient


class Problem:
    """Predictions of some samples of a few classes, in float64, and what a loss is prepared with."""

    def __init__(self, seed: int = 0, size: int = 7, semantics: int = 4, classes: int = 5) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.table = torch.rand(classes, semantics, generator=generator, dtype=torch.float64) + 0.05
        self.counts = torch.randint(1, 9, (classes,), generator=generator)
        self.labels = torch.randint(classes, (size,), generator=generator)
        self.prediction = torch.randn(size, semantics, generator=generator, dtype=torch.float64)

    @property
    def target(self) -> torch.Tensor:
        return self.table[self.labels]

    def prepared(self, loss: RegressionLoss) -> RegressionLoss:
        loss.prepare(self.table, self.counts)
        return loss


def check_against(loss: RegressionLoss, literal: Callable[[Problem, NDArray[np.float64]], float]) -> None:
    """Value and gradient of a loss, on two problems, equal those of a slow function of the predictions."""
    for seed in range(2):
        problem = Problem(seed)
        prediction = problem.prediction.clone().requires_grad_()
        value = problem.prepared(loss)(prediction, problem.target, problem.labels)
        value.backward()
        at = problem.prediction.numpy()
        assert value.item() == pytest.approx(literal(problem, at), rel=1e-9)
        assert prediction.grad is not None
        expected = numerical_gradient(lambda moved, problem=problem: literal(problem, moved), at)  # type: ignore[misc]
        np.testing.assert_allclose(prediction.grad.numpy(), expected, rtol=1e-5, atol=1e-8)
