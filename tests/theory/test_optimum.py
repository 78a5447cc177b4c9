"""docs/theory.md, section 4: the points at which long training ends."""

from functools import cache

import pytest
import torch
from torch import Tensor

from rezsl.data import load_synthetic
from rezsl.functional import rebalancing_weights
from rezsl.losses import ReMSELoss
from tests.theory.problems import LinearProblem, QuadraticErrors, theil

Three = tuple[float, float, float]


def double(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def scalar_problem(curvature: Tensor, optimum: Tensor, floor: Tensor) -> QuadraticErrors:
    """Return the problem of classes that share one parameter."""
    return QuadraticErrors(curvature.reshape(-1, 1, 1), optimum.unsqueeze(1), floor)


def random_problem(generator: torch.Generator) -> QuadraticErrors:
    classes, parameters = (int(torch.randint(low, 6, (), generator=generator)) for low in (2, 1))
    root = torch.randn(classes, parameters, parameters, generator=generator, dtype=torch.float64)
    root *= torch.randn(classes, 1, 1, generator=generator, dtype=torch.float64).exp()
    optimum = torch.randn(classes, parameters, generator=generator, dtype=torch.float64)
    floor = torch.randn(classes, generator=generator, dtype=torch.float64).mul(2).exp()
    return QuadraticErrors(root @ root.mT + 1e-6 * torch.eye(parameters), optimum, floor)


def before_and_after(problem: QuadraticErrors, power: float) -> tuple[Tensor, Tensor, bool]:
    """Return the errors at the optimum of MSE and at the fixed point of a power, and whether the latter was found."""
    parameters, found = problem.remse(power)
    plain = problem.solve(torch.ones(len(problem.floor), dtype=torch.float64))
    return problem.errors(plain), problem.errors(parameters), found


@cache
def uneven() -> LinearProblem:
    """Return 2000 samples of 20 equally frequent classes with six attributes, whose noise grows with their value."""
    benchmark = load_synthetic(
        classes=20, attributes=6, samples=2000, dim=6, unseen=1, validation=0, noise=0.7, noise_dependence=2.0
    )
    return LinearProblem.of(benchmark)


def test_errors_are_more_even_with_a_larger_mean_in_shared_linear_models() -> None:
    """At a fixed point of class power 1, ē is at least and ē·T at most that at the optimum of MSE."""
    generator, found_in = torch.Generator().manual_seed(0), 0
    for _ in range(40):
        problem = random_problem(generator)
        parameters, found = problem.remse(1.0)
        if not found:
            continue
        found_in += 1
        before = problem.errors(problem.solve(torch.ones(len(problem.floor), dtype=torch.float64)))
        after = problem.errors(parameters)
        assert after.mean() >= before.mean() * (1 - 1e-12)
        assert after.mean() * theil(after) <= before.mean() * theil(before) + 1e-12

        # A stronger statement: Σ e ln(e/m) with the minimum m of the fixed point is nowhere smaller.
        def potential(errors: Tensor, minimum: Tensor) -> Tensor:
            return (errors * (errors / minimum).log()).sum()

        elsewhere = parameters + torch.randn(10, len(parameters), generator=generator, dtype=torch.float64)
        for other in elsewhere:
            assert potential(problem.errors(other), after.min()) >= potential(after, after.min()) - 1e-9
    assert found_in >= 36


def test_for_another_power_theils_index_rises_in_a_few_random_problems() -> None:
    """With a power of 0.1 the index exceeds that of MSE in 6 of 150 problems; the mean is never smaller."""
    generator, ratios = torch.Generator().manual_seed(3), []
    for _ in range(150):
        problem = random_problem(generator)
        before, after, found = before_and_after(problem, 0.1)
        assert found
        assert after.mean() >= before.mean() * (1 - 1e-12)
        ratios.append(float(theil(after) / theil(before)))
    assert sum(ratio > 1 + 1e-9 for ratio in ratios) == 6
    assert max(ratios) < 1.0001


@pytest.mark.parametrize(
    ("power", "curvature", "optimum", "floor", "rise"),
    [
        (0.1, (12, 2, 7), (0, -4, -1.2), (0.2, 0.1, 0.02), 0.0009),
        (0.5, (4, 1, 3), (0, 4, 1.5), (0.04, 5.5, 0.03), 0.0009),
        (2.0, (6, 7, 1), (0, 2, -5), (0.01, 0.5, 2), 0.0080),
        (5.0, (21, 2, 24), (0, 3, -1), (0.05, 1, 0.3), 0.0884),
    ],
)
def test_for_other_powers_theils_index_can_rise(
    power: float, curvature: Three, optimum: Three, floor: Three, rise: float
) -> None:
    problem = scalar_problem(double(*curvature), double(*optimum), double(*floor))
    before, after, found = before_and_after(problem, power)
    assert found
    assert float(theil(after) / theil(before)) - 1 == pytest.approx(rise, abs=5e-5)
    before, after, found = before_and_after(problem, 1.0)
    assert found
    assert theil(after) < theil(before)


def test_with_three_classes_the_standard_deviation_and_the_worst_error_can_rise() -> None:
    """The worst class has noise and the optimum of the best class; the middle class has more weight than the best."""
    problem = scalar_problem(curvature=double(1, 0.3, 1), optimum=double(0, 0, 1), floor=double(0.05, 12, 1))
    before = problem.errors(problem.solve(double(1, 1, 1)))
    parameters, found = problem.remse(1.0)
    after = problem.errors(parameters)
    assert found
    assert after.max() > before.max()
    assert after.std() > before.std()
    assert theil(after) < theil(before)
    assert after.mean() > before.mean()


def test_two_classes_are_evened_by_every_power_and_completely_in_the_limit() -> None:
    """For e = (θ², 4(1 − θ)²) MSE ends at θ = 4/5 with 0.64 and 0.16; at θ = 2/3 both errors are 4/9."""
    problem = scalar_problem(curvature=double(1, 4), optimum=double(0, 1), floor=double(0, 0))
    torch.testing.assert_close(problem.errors(problem.solve(double(1, 1))), double(0.64, 0.16))
    errors = []
    for power in (0.0, 0.5, 1.0, 2.0, 4.0, 30.0):
        parameters, found = problem.remse(power)
        assert found
        errors.append(problem.errors(parameters))
    table = torch.stack(errors)
    assert bool((table[:, 0].diff() < 0).all())  # the larger error falls
    assert bool((table[:, 1].diff() > 0).all())  # the smaller error rises
    assert bool((table.mean(dim=1).diff() > 0).all())  # and the mean rises
    assert table[-1].tolist() == pytest.approx([4 / 9, 4 / 9], abs=0.02)


@pytest.mark.parametrize("unit_mean", [True, False])
def test_gradient_descent_ends_there_whatever_the_mean_of_the_weights(unit_mean: bool) -> None:
    problem = scalar_problem(curvature=double(1, 4), optimum=double(0, 1), floor=double(0, 0))
    expected, _ = problem.remse(1.0)
    loss = ReMSELoss(1.0, 0.0, normalize=False, unit_mean=unit_mean)
    theta, labels = torch.zeros(1, dtype=torch.float64, requires_grad=True), torch.arange(2)
    target = double(0, 2).unsqueeze(1)
    for _ in range(300):
        (gradient,) = torch.autograd.grad(loss((theta * double(1, 2)).unsqueeze(1), target, labels), theta)
        theta.data -= 0.05 * gradient
    torch.testing.assert_close(theta.detach(), expected, atol=1e-8, rtol=0)


def test_a_large_power_minimises_the_worst_class() -> None:
    problem = scalar_problem(curvature=double(1, 4, 2), optimum=double(0, 1, 0.2), floor=double(0.1, 0.05, 0.02))
    parameters, found = problem.remse(60.0)
    grid = torch.linspace(0, 1, 20001, dtype=torch.float64)
    least = min(float(problem.errors(theta.unsqueeze(0)).max()) for theta in grid[::10])
    assert found
    assert float(problem.errors(parameters).max()) == pytest.approx(least, rel=0.02)
    plain = problem.errors(problem.solve(double(1, 1, 1)))
    assert float(plain.max()) > 1.1 * least


@pytest.mark.parametrize("unit_mean", [True, False])
def test_a_linear_read_out_of_noisy_features_is_evened_class_by_class(unit_mean: bool) -> None:
    """The optimum of MSE follows from normal equations; that of ReMSE is a zero of its gradient and less uneven."""
    problem = uneven()
    readout, found = problem.remse((1.0, 0.0))
    assert found
    leaf = readout.clone().requires_grad_()
    ReMSELoss(1.0, 0.0, normalize=False, unit_mean=unit_mean)(
        problem.features @ leaf, problem.target, problem.labels
    ).backward()
    assert leaf.grad is not None
    assert float(leaf.grad.abs().max()) < 1e-10
    before, after = problem.matrix(problem.mse()), problem.matrix(readout)
    assert bool((theil(after) < 0.85 * theil(before)).all())  # in every attribute
    assert bool((after.amax(dim=0) < before.amax(dim=0)).all())
    assert bool((after.mean(dim=0) > before.mean(dim=0)).all())  # at the cost of a larger mean
    assert float(after.mean() / before.mean()) < 1.05


def test_the_spread_over_attributes_hardly_changes() -> None:
    """Attributes share no parameter, so the mean error of each can only rise above that of MSE."""
    problem = uneven()
    before, changes = problem.matrix(problem.mse()).mean(dim=0), []
    for powers in ((1.0, 0.0), (1.0, 0.1), (0.0, 1.0)):
        readout, found = problem.remse(powers)
        after = problem.matrix(readout).mean(dim=0)
        assert found
        assert bool((after > before).all())
        changes.append(float(after.std() / before.std()))
    assert changes == pytest.approx([1.01, 1.01, 0.97], abs=0.005)


def test_weights_of_attributes_move_no_optimum_unless_parameters_are_shared() -> None:
    problem = uneven()
    of_attributes = torch.rand(1, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 0.1
    weighted = problem.solve(of_attributes.expand_as(problem.target))
    torch.testing.assert_close(weighted, problem.mse())
    # One parameter serves two attributes of one class: this is the problem of two classes with rows for columns.
    theta, target = torch.full((1,), 0.5, dtype=torch.float64, requires_grad=True), double(0, 2).unsqueeze(0)
    loss = ReMSELoss(0.0, 1.0, normalize=False)
    for _ in range(300):
        value = loss((theta * double(1, 2)).unsqueeze(0), target, torch.tensor([0]))
        (gradient,) = torch.autograd.grad(value, theta)
        theta.data -= 0.05 * gradient
    expected, _ = scalar_problem(double(1, 4), double(0, 1), double(0, 0)).remse(1.0)
    torch.testing.assert_close(theta.detach(), expected, atol=1e-8, rtol=0)


def test_unexplained_noise_is_not_evened() -> None:
    """All classes have the same optimum, so no weights move it, however uneven its errors are."""
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(4, 3, 3, generator=generator, dtype=torch.float64)
    optimum = torch.randn(1, 3, generator=generator, dtype=torch.float64).expand(4, 3)
    problem = QuadraticErrors(root @ root.mT, optimum, double(1, 4, 16, 64))
    for power in (0.0, 1.0, 5.0):
        parameters, found = problem.remse(power)
        assert found
        torch.testing.assert_close(problem.errors(parameters), problem.floor)


def test_weights_that_grow_with_the_noise_cost_precision() -> None:
    """The variance is Σw²σ² / (Σw)², with w = 1 for MSE; efficient weights fall with the noise."""
    deviation, shots, repeats = double(1, 2, 4, 8), 60, 4000
    generator = torch.Generator().manual_seed(0)
    samples = deviation.reshape(4, 1, 1) * torch.randn(4, shots, repeats, generator=generator, dtype=torch.float64)
    class_means, class_squares = samples.mean(dim=1), samples.square().mean(dim=1)

    def weighted_mean(weights: Tensor) -> Tensor:
        return (weights * class_means).sum(dim=0) / weights.sum(dim=0)

    estimate = class_means.mean(dim=0)
    plain = float(estimate.var())
    for _ in range(30):  # columns are independent draws; the target is 0 in all classes
        errors = class_squares - 2 * estimate * class_means + estimate.square()
        estimate = weighted_mean(rebalancing_weights(errors, 1.0, 0.0))
    weights, variance = rebalancing_weights(deviation.square().unsqueeze(1), 1.0, 0.0).squeeze(1), deviation.square()
    expected = float((weights**2 * variance).sum() / weights.sum() ** 2 / (variance.sum() / 16))
    assert expected == pytest.approx(2.43, abs=0.005)
    assert float(estimate.var()) / plain == pytest.approx(expected, rel=0.05)
    efficient = float(weighted_mean((1 / variance).unsqueeze(1)).var())
    assert efficient < 0.2 * plain < 0.2 * float(estimate.var())
