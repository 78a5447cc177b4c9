import numpy as np
import pytest
import torch

from rezsl.errors import ArgumentError
from rezsl.functional.familiarity import distance, fit_distribution, fit_limit, keeping_limit
from rezsl.functional.recognition import fit_temperature
from tests.oracles import familiarity as oracle


@pytest.mark.parametrize(("count", "dimensions", "most", "axes"), [(40, 6, 2, 2), (40, 6, 64, 3), (9, 30, 64, 2)])
def test_distances_match_a_gaussian_with_a_full_covariance_matrix(
    generator: torch.Generator, count: int, dimensions: int, most: int, axes: int
) -> None:
    scale = torch.linspace(0.2, 3, dimensions)
    features, others = (torch.randn(n, dimensions, generator=generator) * scale + 1 for n in (count, 7))
    found = fit_distribution(features, most)
    assert found.axes.shape == (dimensions, axes)
    mean, matrix = oracle.covariance(features.double().numpy(), axes)
    expected = oracle.distances(others.double().numpy(), mean, matrix)
    np.testing.assert_allclose(distance(others, found).numpy(), expected, rtol=1e-4)


def test_the_length_of_a_feature_does_not_matter(generator: torch.Generator) -> None:
    features = torch.rand(20, 8, generator=generator)
    found = fit_distribution(features)
    torch.testing.assert_close(distance(1e4 * features, found), distance(features, found), rtol=1e-4, atol=1e-5)


def test_what_varies_in_no_training_image_is_far() -> None:
    equal = torch.ones(8, 4)
    found = fit_distribution(equal)
    assert float(distance(equal, found).max()) < 1
    assert float(distance(torch.eye(4), found).min()) > 1000
    assert bool(distance(torch.zeros(1, 4), found).isfinite().all())


@pytest.mark.parametrize("features", [torch.zeros(0, 3), torch.tensor([[1.0, torch.nan]])])
def test_a_distribution_needs_finite_features(features: torch.Tensor) -> None:
    with pytest.raises(ArgumentError, match="features: expected finite numbers of at least one image"):
        fit_distribution(features)


def test_the_limit_keeps_the_share_of_both_kinds_alike(generator: torch.Generator) -> None:
    many, few = torch.rand(1000, generator=generator), 1 + torch.rand(10, generator=generator)
    for share in (0.3, 0.5, 0.8, 0.95):
        limit = keeping_limit([many, few], share)
        kept = [float((part.double() <= limit).double().mean()) for part in (many, few)]
        below = [float((part.double() < limit).double().mean()) for part in (many, few)]
        assert sum(below) / 2 < share <= sum(kept) / 2 + 1e-9


def test_distance_and_score_count_in_their_own_deviations(generator: torch.Generator) -> None:
    distances, scores = (
        [torch.randn(n, generator=generator) * 30 + 7, torch.randn(5, generator=generator)] for n in (400, 400)
    )
    found = fit_limit(distances, scores, 0.9)
    terms = []
    for parts in (distances, scores):
        values = [part.double().numpy() for part in parts]
        weights = np.concatenate([np.full(len(part), 1 / (2 * len(part))) for part in values])
        joined = np.concatenate(values)
        mean = (weights * joined).sum()
        terms.append(joined / np.sqrt((weights * (joined - mean) ** 2).sum()))
    strangeness = terms[0] - terms[1]
    ours = found.strangeness(torch.cat(distances), torch.cat(scores)).numpy()
    np.testing.assert_allclose(ours, strangeness - found.limit, atol=1e-5)
    kept = [float((part <= found.limit + 1e-9).mean()) for part in (strangeness[:400], strangeness[400:])]
    assert sum(kept) / 2 >= 0.9


def test_the_temperature_has_the_highest_likelihood_of_parts_with_equal_weight(generator: torch.Generator) -> None:
    parts = [torch.randn(n, c, generator=generator) * 4 for n, c in ((60, 3), (7, 5))]
    labels = [(part + 3 * torch.randn(part.shape, generator=generator)).argmax(1) for part in parts]
    found = fit_temperature(parts, labels)

    def likelihood(temperature: float) -> float:
        return sum(
            oracle.log_likelihood(part.double().numpy(), true.numpy(), temperature)
            for part, true in zip(parts, labels, strict=True)
        )

    assert 1 < found < 10
    assert likelihood(found) > max(likelihood(found * 0.999), likelihood(found * 1.001))


@pytest.mark.parametrize(("right", "expected"), [(True, 0.05), (False, 20.0)])
def test_the_temperature_stays_in_its_range(right: bool, expected: float) -> None:
    scores = torch.tensor([[5.0, 0.0], [0.0, 5.0]])
    labels = scores.argmax(1) if right else scores.argmin(1)
    assert fit_temperature([scores], [labels]) == pytest.approx(expected)
