import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rezsl.functional.imbalance import QUANTILE_LEVELS, error_profile, gini
from rezsl.functional.statistics import quantiles
from tests.oracles import analysis_errors as oracle

COLUMNS = st.lists(st.floats(0, 1e6), min_size=1, max_size=12)


def test_profile_matches_the_loops(generator: torch.Generator) -> None:
    matrix = torch.rand(9, 5, generator=generator).double()
    matrix[:, 3] = 0
    matrix[2:, 4] = 0
    profile = error_profile(matrix)
    for column in range(5):
        numbers = matrix[:, column].numpy()
        assert profile.mean[column].item() == pytest.approx(oracle.mean(numbers))
        assert profile.spread[column].item() == pytest.approx(oracle.deviation(numbers))
        assert profile.gini[column].item() == pytest.approx(oracle.gini(numbers))
        expected = [oracle.quantile(numbers, level) for level in QUANTILE_LEVELS]
        assert profile.quantiles[column].tolist() == pytest.approx(expected)
    means = profile.mean.numpy()
    assert profile.mean_of_means == pytest.approx(matrix.mean().item())
    assert profile.spread_of_means == pytest.approx(oracle.deviation(means))
    assert profile.gini_of_means == pytest.approx(oracle.gini(means))
    order = sorted(range(5), key=lambda column: -means[column])
    assert profile.worst(3).tolist() == order[:3]
    assert profile.worst(99).tolist() == order
    assert profile.worst_mean(3) == pytest.approx(oracle.mean(means[order[:3]]))


@given(column=COLUMNS, factor=st.floats(1e-6, 1e6))
def test_gini_lies_in_its_range_and_knows_no_units(column: list[float], factor: float) -> None:
    values = torch.tensor(column, dtype=torch.float64).unsqueeze(1)
    value = gini(values).item()
    assert 0 <= value < 1
    assert gini(factor * values).item() == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1e300])
def test_gini_at_extreme_magnitudes(scale: float) -> None:
    assert gini(torch.tensor([[0.0], [scale]], dtype=torch.float64)).item() == 0.5


def test_quantiles_leave_missing_values_out() -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(20, 4))
    matrix[rng.random((20, 4)) < 0.3] = np.nan
    matrix[:, 3] = np.nan
    found = quantiles(torch.from_numpy(matrix), (0.0, 0.1, 0.5, 0.975, 1.0)).numpy()
    np.testing.assert_allclose(found[:, :3], np.nanquantile(matrix[:, :3], (0.0, 0.1, 0.5, 0.975, 1.0), axis=0))
    assert np.isnan(found[:, 3]).all()
    assert quantiles(torch.empty(0, 2), (0.5,)).isnan().all()
