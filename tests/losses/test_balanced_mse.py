import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rezsl.errors import ArgumentError
from rezsl.losses import BalancedMSELoss, BMCLoss, BNILoss, GAILoss
from tests.losses.batches import Problem
from tests.oracles import balanced_mse as oracle
from tests.oracles.cell_errors import compared
from tests.oracles.gradient import numerical_gradient

Floats = NDArray[np.float64]


def check(loss: BalancedMSELoss, bracket: Callable[[Problem, Floats, Floats, Floats, float], float]) -> None:
    """Value, and gradients for predictions and noise; ``bracket`` takes compared predictions, targets and table."""
    for seed in range(2):
        check_problem(Problem(seed), loss, bracket)


def check_problem(
    problem: Problem, loss: BalancedMSELoss, bracket: Callable[[Problem, Floats, Floats, Floats, float], float]
) -> None:
    problem.prediction = problem.target + 0.5 * problem.prediction
    problem.prepared(loss)
    prediction = problem.prediction.clone().requires_grad_()
    loss.zero_grad()
    value = loss(prediction, problem.target, problem.labels)
    value.backward()

    def literal(at: Floats, log_noise: float) -> float:
        p, table = compared(at, problem.table.numpy(), loss.normalize)
        return bracket(problem, p, table[problem.labels.numpy()], table, math.exp(log_noise))

    at, log_noise = problem.prediction.numpy(), loss.log_noise.item()
    factor = 2 * math.exp(2 * log_noise)
    assert value.item() == pytest.approx(factor * literal(at, log_noise), rel=1e-6)
    expected = factor * numerical_gradient(lambda moved: literal(moved, log_noise), at)
    assert prediction.grad is not None
    assert loss.log_noise.grad is not None
    np.testing.assert_allclose(prediction.grad.numpy(), expected, rtol=1e-5, atol=1e-7)
    of_noise = numerical_gradient(lambda moved: literal(at, float(moved[0])), np.array([log_noise]))
    assert loss.log_noise.grad.item() == pytest.approx(factor * of_noise[0], rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("normalize", [True, False])
def test_the_batch_form_matches_the_literal_loops(normalize: bool) -> None:
    check(BMCLoss(0.4, normalize), lambda problem, p, t, _, sigma: oracle.bmc(p, t, problem.labels.numpy(), sigma))


@pytest.mark.parametrize("normalize", [True, False])
def test_the_form_of_bins_matches_the_literal_loops(normalize: bool) -> None:
    check(
        BNILoss(6, 0.3, normalize),
        lambda problem, p, t, table, sigma: oracle.bni(p, t, table, problem.counts.numpy(), 6, sigma),
    )


@pytest.mark.parametrize("normalize", [True, False])
def test_the_form_of_mixtures_matches_the_literal_loops(normalize: bool) -> None:
    loss = GAILoss(3, 0.3, normalize)

    def bracket(problem: Problem, p: Floats, t: Floats, table: Floats, sigma: float) -> float:
        assert loss.mixture is not None
        weights, means, variances = loss.mixture.numpy()
        return oracle.gai(p, t, weights, means, variances, sigma)

    check(loss, bracket)


def test_with_fixed_noise_the_published_form_differs_by_a_constant() -> None:
    """There every other sample is a negative: the value has 2σ² · mean of ln(samples of the class) more."""
    problem, loss = Problem(), BMCLoss(0.4, learn_noise=False)
    prediction = problem.prediction.clone().requires_grad_()
    value = loss(prediction, problem.target, problem.labels)
    value.backward()
    labels, counts = problem.labels.numpy(), problem.labels.bincount()[problem.labels].double()
    assert counts.max() > 1

    def published(at: Floats) -> float:
        return 2 * 0.4**2 * oracle.bmc(*compared(at, problem.target.numpy(), True), labels, 0.4, alone=True)

    constant = 2 * 0.4**2 * float(counts.log().mean())
    assert value.item() == pytest.approx(published(problem.prediction.numpy()) - constant, rel=1e-6)
    expected = numerical_gradient(published, problem.prediction.numpy())
    assert prediction.grad is not None
    np.testing.assert_allclose(prediction.grad.numpy(), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", [BMCLoss, BNILoss, GAILoss])
def test_fixed_noise_is_not_learnt(kind: type[BMCLoss] | type[BNILoss] | type[GAILoss]) -> None:
    problem = Problem()
    loss, same = kind(noise=0.3, learn_noise=False), kind(noise=0.3)
    prediction = problem.prediction.clone().requires_grad_()
    values = [problem.prepared(one)(prediction, problem.target, problem.labels) for one in (loss, same)]
    torch.testing.assert_close(*values)
    values[0].backward()
    assert loss.log_noise.grad is None
    assert not any(parameter.requires_grad for parameter in loss.parameters())


def test_a_batch_of_one_class_has_no_negatives() -> None:
    problem = Problem()
    labels = torch.zeros_like(problem.labels)
    assert BMCLoss()(problem.prediction, problem.table[labels], labels).item() == pytest.approx(0, abs=1e-12)


def test_the_mixture_is_that_of_the_training_samples() -> None:
    """Two clusters of classes in the first semantic, 30 and 10 samples; the second semantic is constant."""
    table = torch.tensor([[0.10, 0.5], [0.12, 0.5], [0.90, 0.5], [0.91, 0.5]], dtype=torch.float64)
    for times in (1, 1000):  # the larger one is thinned out
        loss = GAILoss(components=2, normalize=False)
        loss.prepare(table, times * torch.tensor([15, 15, 4, 6]))
        assert loss.mixture is not None
        weights, means, variances = loss.mixture[:, 0, loss.mixture[1, 0].argsort()]
        assert weights.tolist() == pytest.approx([0.75, 0.25], abs=1e-3)
        assert means.tolist() == pytest.approx([0.11, 0.906], abs=1e-3)
        assert variances.tolist() == pytest.approx([1e-4, 0.24e-4], rel=0.1)
        torch.testing.assert_close(loss.mixture[:, 1, 0], torch.tensor([1.0, 0.5, 0.0], dtype=torch.float64))
        assert loss.mixture[0, 1, 1] == 0


@pytest.mark.parametrize("new", [BNILoss, GAILoss])
def test_it_must_be_prepared(new: Callable[[], BalancedMSELoss]) -> None:
    problem = Problem()
    with pytest.raises(
        ArgumentError, match=r"loss: expected prepare\(class_semantics, class_counts\) first, got a batch"
    ):
        new()(problem.prediction, problem.target, problem.labels)


def test_options_out_of_range_are_named() -> None:
    with pytest.raises(ArgumentError, match="noise: expected a positive number, got 0"):
        BMCLoss(noise=0.0)
    with pytest.raises(ArgumentError, match="components: expected at least 1, got 0"):
        GAILoss(components=0)
    with pytest.raises(ArgumentError, match="bins: expected at least 1, got 0"):
        BNILoss(bins=0)
