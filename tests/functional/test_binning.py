import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rezsl.errors import ArgumentError
from rezsl.functional.binning import Binning, assign_bins, bin_by_value, bin_edges
from rezsl.functional.statistics import bootstrap_weights
from tests.oracles import analysis_errors as oracle


@pytest.mark.parametrize("binning", ["equal_width", "equal_count"])
def test_bins_match_the_loops(binning: Binning) -> None:
    rng = np.random.default_rng(0)
    quantity, values = rng.random((6, 8)), rng.random((6, 8)).round(1) ** 3  # with ties, and skewed
    quantity[2, 3:5] = np.nan
    weights = bootstrap_weights(6, 30, seed=0)
    found = bin_by_value(torch.from_numpy(quantity), torch.from_numpy(values), weights, 5, binning, level=0.8)
    expected = oracle.value_bins(quantity, values, found.edges.numpy(), weights.numpy())
    assert found.binning == binning
    assert (found.edges[0].item(), found.edges[-1].item()) == (values.min(), values.max())
    assert found.count.sum().item() == 46
    for number, of_bin in enumerate(expected):
        assert found.count[number].item() == of_bin.size
        assert found.value[number].item() == pytest.approx(of_bin.value)
        assert found.mean[number].item() == pytest.approx(of_bin.mean)
        assert found.quartiles[number].tolist() == pytest.approx(of_bin.quartiles)
        interval = found.low[number].item(), found.high[number].item()
        assert interval == pytest.approx(oracle.interval(of_bin.draws, 0.8))


def test_equal_width_is_that_of_numpy_and_equal_count_is_even() -> None:
    values = torch.rand(1000, generator=torch.Generator().manual_seed(0)).double() ** 4
    np.testing.assert_allclose(
        bin_edges(values, 7, "equal_width").numpy(), np.histogram_bin_edges(values.numpy(), 7), atol=1e-15
    )
    counts = torch.bincount(assign_bins(values, bin_edges(values, 7, "equal_count")))
    assert len(counts) == 7
    assert int(counts.max() - counts.min()) <= 1


@given(
    numbers=st.lists(st.sampled_from([-1.0, 0.0, 0.0, 0.25, 0.5, 2.0]), min_size=1, max_size=30),
    bins=st.integers(1, 6),
    binning=st.sampled_from(["equal_width", "equal_count"]),
)
def test_every_number_has_one_bin_and_equal_ones_share_it(numbers: list[float], bins: int, binning: Binning) -> None:
    values = torch.tensor(numbers)
    edges = bin_edges(values, bins, binning)
    place = assign_bins(values, edges)
    assert 1 <= len(edges) - 1 <= bins
    assert 0 <= int(place.min()) <= int(place.max()) < len(edges) - 1
    assert bool(((edges[place] <= values) & (values <= edges[place + 1])).all())
    assert bool((edges.diff() > 0).all()) or len(set(numbers)) == 1


def test_one_value_is_one_bin() -> None:
    found = bin_by_value(torch.rand(3, 2), torch.full((3, 2), 0.5), bootstrap_weights(3, 4, seed=0))
    assert (found.edges.tolist(), found.count.tolist()) == ([0.5, 0.5], [6])


def test_empty_bins_and_missing_quantities_are_undefined() -> None:
    values = torch.tensor([[0.0, 1.0]])
    found = bin_by_value(torch.tensor([[1.0, torch.nan]]), values, bootstrap_weights(1, 4, seed=0), bins=3)
    assert found.count.tolist() == [1, 0, 0]
    assert found.mean[0].item() == 1.0
    assert bool(torch.stack([found.value, found.mean, found.low, found.high])[:, 1:].isnan().all())


def test_impossible_bins(unchecked: None) -> None:
    with pytest.raises(ArgumentError, match="bins: expected at least 1, got 0"):
        bin_edges(torch.rand(3), 0, "equal_width")
    with pytest.raises(ArgumentError, match="binning: expected one of equal_width, equal_count, got 'adaptive'"):
        bin_edges(torch.rand(3), 2, "adaptive")  # type: ignore[arg-type]
