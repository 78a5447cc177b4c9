import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rezsl.errors import ArgumentError
from rezsl.functional import imbalance
from rezsl.functional.imbalance import QUANTILE_LEVELS, error_fall_rate, error_profile, gini
from tests.oracles import analysis_errors
from tests.oracles import imbalance as oracle

COLUMNS = st.lists(st.floats(0, 1e6), min_size=1, max_size=12)


def test_all_metrics_match_the_literal_loops(generator: torch.Generator) -> None:
    matrix = torch.rand(9, 5, generator=generator, dtype=torch.float64)
    semantics = torch.rand(9, 5, generator=generator, dtype=torch.float64)
    semantics[:, 2] = 0.3  # constant over classes
    semantics[4] = 0.3  # constant over attributes
    result = imbalance(matrix, semantics)
    over_classes = oracle.correlation_per_semantic(matrix.numpy(), semantics.numpy())
    over_semantics = oracle.correlation_per_class(matrix.numpy(), semantics.numpy())
    np.testing.assert_allclose(result.correlation_over_classes.numpy(), over_classes, atol=1e-12)
    np.testing.assert_allclose(result.correlation_over_attributes.numpy(), over_semantics, atol=1e-12)
    means = (result.mean_of_means, result.spread_of_means)
    assert means == pytest.approx(oracle.semantic_error_mean_and_deviation(matrix.numpy()))
    assert result.class_correlation == pytest.approx(oracle.mean_of_defined(over_classes))
    assert result.attribute_correlation == pytest.approx(oracle.mean_of_defined(over_semantics))


def test_errors_that_equal_the_attributes_correlate_perfectly() -> None:
    semantics = torch.rand(6, 3)
    result = imbalance(2 * semantics + 1, semantics)
    assert result.class_correlation == pytest.approx(1.0, abs=1e-6)


def test_a_single_class_has_no_correlation() -> None:
    result = imbalance(torch.rand(1, 3), torch.rand(1, 3))
    assert bool(result.correlation_over_classes.isnan().all())
    assert np.isnan(result.class_correlation)


def test_profile_matches_the_loops(generator: torch.Generator) -> None:
    matrix = torch.rand(9, 5, generator=generator).double()
    matrix[:, 3] = 0
    matrix[2:, 4] = 0
    profile = error_profile(matrix)
    for column in range(5):
        numbers = matrix[:, column].numpy()
        assert profile.mean[column].item() == pytest.approx(analysis_errors.mean(numbers))
        assert profile.spread[column].item() == pytest.approx(analysis_errors.deviation(numbers))
        assert profile.gini[column].item() == pytest.approx(analysis_errors.gini(numbers))
        expected = [analysis_errors.quantile(numbers, level) for level in QUANTILE_LEVELS]
        assert profile.quantiles[column].tolist() == pytest.approx(expected)
    means = profile.mean.numpy()
    assert profile.mean_of_means == pytest.approx(matrix.mean().item())
    assert profile.spread_of_means == pytest.approx(analysis_errors.deviation(means))
    assert profile.gini_of_means == pytest.approx(analysis_errors.gini(means))
    order = sorted(range(5), key=lambda column: -means[column])
    assert profile.worst(3).tolist() == order[:3]
    assert profile.worst(99).tolist() == order
    assert profile.worst_mean(3) == pytest.approx(analysis_errors.mean(means[order[:3]]))


@given(column=COLUMNS, factor=st.floats(1e-6, 1e6))
def test_gini_is_in_its_range_and_independent_of_units(column: list[float], factor: float) -> None:
    values = torch.tensor(column, dtype=torch.float64).unsqueeze(1)
    value = gini(values).item()
    assert 0 <= value < 1
    assert gini(factor * values).item() == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1e300])
def test_gini_at_extreme_magnitudes(scale: float) -> None:
    assert gini(torch.tensor([[0.0], [scale]], dtype=torch.float64)).item() == 0.5


def test_rates_match_the_loops_and_the_least_squares_of_numpy() -> None:
    rng = np.random.default_rng(0)
    matrices, epochs = rng.random((6, 3, 4)), np.array([1.0, 2.0, 4.0, 8.0, 9.0, 100.0])
    matrices[rng.random((6, 3, 4)) < 0.2] = 0
    matrices[:, 0, 0] = 0  # the error is always 0
    matrices[1:, 0, 1] = 0  # the error is positive once
    matrices[:, 0, 2] = 0.3  # the error is constant
    matrices[:, 0, 3] = 1e-300 * np.exp(-0.25 * epochs)
    rate = error_fall_rate(torch.from_numpy(matrices), torch.from_numpy(epochs)).numpy()
    for k, s in np.ndindex(3, 4):
        np.testing.assert_allclose(
            rate[k, s], analysis_errors.fall_rate(matrices[:, k, s], epochs), rtol=1e-9, atol=1e-12
        )
    assert rate[0, 3] == pytest.approx(0.25)
    positive = matrices[:, 2, 3] > 0
    slope = np.polyfit(epochs[positive], np.log(matrices[positive, 2, 3]), 1)[0]
    assert rate[2, 3] == pytest.approx(-slope)


def test_what_has_no_rate() -> None:
    with pytest.raises(ArgumentError, match="error_matrices: expected those of at least two epochs, got 1"):
        error_fall_rate(torch.rand(1, 2, 2), torch.tensor([1.0]))
    with pytest.raises(ArgumentError, match=r"epochs: expected finite numbers in ascending order, got \[2.0, 2.0\]"):
        error_fall_rate(torch.rand(2, 2, 2), torch.tensor([2.0, 2.0]))
    with pytest.raises(ArgumentError, match="error_matrices: expected finite errors of at least 0"):
        error_fall_rate(-torch.rand(2, 2, 2), torch.tensor([1.0, 2.0]))
