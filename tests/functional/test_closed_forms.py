import numpy as np
import pytest
import torch
from scipy.linalg import solve_sylvester

from rezsl.errors import ArgumentError
from rezsl.functional.closed_forms import ClassMoments, class_moments, eszsl, sae
from tests.oracles import closed_forms as oracle

Problem = tuple[torch.Tensor, torch.Tensor, torch.Tensor]

# Numbers of samples, dimensions, attributes and classes, with each larger than the others in some case.
SIZES = [(12, 5, 3, 4), (7, 9, 6, 4), (6, 2, 3, 3), (6, 1, 1, 2)]


def problem(samples: int, dim: int, semantics: int, classes: int) -> Problem:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(samples, dim, generator=generator, dtype=torch.float64)
    return features, torch.arange(samples) % classes, torch.rand(classes, semantics, generator=generator).double()


def moments_of(features: torch.Tensor, labels: torch.Tensor, classes: int, size: int = 5) -> ClassMoments:
    return class_moments(zip(features.split(size), labels.split(size), strict=True), classes)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_moments_are_those_of_all_samples(dtype: torch.dtype) -> None:
    features, labels, _ = problem(40, 600, 1, 3)  # wider than the strips in which the Gram matrix is computed
    moments = moments_of(features.to(dtype), labels, 4)
    tolerance = 1e-12 if dtype == torch.float64 else 1e-5
    torch.testing.assert_close(moments.gram, features.T @ features, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(moments.gram, moments.gram.T)
    for row in range(4):  # the last class has no samples
        torch.testing.assert_close(
            moments.class_sums[row], features[labels == row].sum(dim=0), rtol=tolerance, atol=tolerance
        )
    assert moments.counts.tolist() == [14.0, 13.0, 13.0, 0.0]


@pytest.mark.parametrize("sizes", SIZES)
def test_eszsl_is_the_least_squares_solution(sizes: tuple[int, int, int, int]) -> None:
    features, labels, semantics = problem(*sizes)
    weights = eszsl(moments_of(features, labels, len(semantics)), semantics, 0.3, 0.7)
    expected = oracle.eszsl(features.numpy(), labels.numpy(), semantics.numpy(), 0.3, 0.7)
    np.testing.assert_allclose(weights.numpy().T, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("sizes", SIZES)
def test_sae_solves_its_sylvester_equation(sizes: tuple[int, int, int, int]) -> None:
    features, labels, semantics = problem(*sizes)
    weights = sae(moments_of(features, labels, len(semantics)), semantics, 0.3)
    samples = semantics[labels]
    left, right = samples.T @ samples, 0.3 * features.T @ features
    wanted = 1.3 * samples.T @ features
    torch.testing.assert_close(left @ weights + weights @ right, wanted, rtol=1e-10, atol=1e-10)
    if sizes[2] <= sizes[3]:  # otherwise there is more than one solution
        expected = solve_sylvester(left.numpy(), right.numpy(), wanted.numpy())
        np.testing.assert_allclose(weights.numpy(), expected, rtol=1e-8, atol=1e-10)


def test_sae_is_the_minimum_of_its_objective() -> None:
    features, labels, semantics = problem(12, 5, 3, 4)
    weights = sae(moments_of(features, labels, 4), semantics, 0.3).numpy()
    samples = semantics[labels].numpy()
    least = oracle.sae_objective(weights, features.numpy(), samples, 0.3)
    for step in np.random.default_rng(0).normal(size=(20, *weights.shape)):
        assert oracle.sae_objective(weights + 1e-3 * step, features.numpy(), samples, 0.3) > least


def test_of_many_solutions_sae_takes_the_least() -> None:
    features, labels, semantics = problem(7, 9, 6, 4)
    weights = sae(moments_of(features, labels, 4), semantics, 0.3)
    # The weights are combinations of the class rows, so they are 0 in directions in which all classes are 0.
    rest = weights - semantics.T @ torch.linalg.pinv(semantics.T) @ weights
    assert float(rest.abs().max()) < 1e-12


@pytest.mark.parametrize("method", ["eszsl", "sae"])
def test_the_order_of_samples_batches_and_semantics_is_no_matter(method: str) -> None:
    features, labels, semantics = problem(12, 5, 3, 4)

    def solved(features: torch.Tensor, labels: torch.Tensor, semantics: torch.Tensor, size: int) -> torch.Tensor:
        moments = moments_of(features, labels, 4, size)
        return eszsl(moments, semantics, 0.3, 0.7) if method == "eszsl" else sae(moments, semantics, 0.3)

    weights, order = solved(features, labels, semantics, 5), torch.tensor([2, 0, 1])
    torch.testing.assert_close(solved(features.flip(0), labels.flip(0), semantics, 12), weights)
    torch.testing.assert_close(solved(features, labels, semantics[:, order], 1), weights[order])
    rotation = torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(1)).double()).Q
    torch.testing.assert_close(solved(features @ rotation, labels, semantics, 5), weights @ rotation)


@pytest.mark.parametrize("size", [1e-12, 1e12])
def test_features_of_any_size_are_solved_for(size: float) -> None:
    features, labels, semantics = problem(12, 5, 3, 4)
    one, other = moments_of(features, labels, 4), moments_of(size * features, labels, 4)
    torch.testing.assert_close(size * eszsl(other, semantics, 0.3 * size**2, 0.7), eszsl(one, semantics, 0.3, 0.7))
    first, second = sae(one, semantics, 0.3), sae(other, semantics, 0.3 / size**2)
    torch.testing.assert_close(second / second.norm(), first / first.norm())


def test_what_cannot_be_solved_is_refused_in_one_line() -> None:
    features, labels, _ = problem(12, 5, 3, 4)
    with pytest.raises(ArgumentError, match=r"^batches: expected training samples, got none; give at least one batch$"):
        class_moments([], 4)
    for bad in (float("nan"), float("inf")):
        spoilt = features.clone()
        spoilt[3, 2] = bad
        with pytest.raises(
            ArgumentError, match=r"^features: expected finite numbers, got others; check the features for nan"
        ):
            moments_of(spoilt, labels, 4)
    broken = ClassMoments(-torch.eye(2).double(), torch.zeros(1, 2).double(), torch.ones(1).double())
    with pytest.raises(
        ArgumentError,
        match=r"^feature_penalty: expected a number that outweighs rounding errors, got 0.5; increase it$",
    ):
        eszsl(broken, torch.ones(1, 1), 0.5, 1.0)
