import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from rezsl.errors import ArgumentError
from rezsl.functional.statistics import (
    add_piece,
    bootstrap_weights,
    correlations,
    pearson_draws,
    percentile_interval,
    quantiles,
    spearman_draws,
)
from tests.oracles import analysis_errors as oracle
from tests.oracles import imbalance


def paired_columns(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return five pairs of seven rows: plain, with ties, almost constant, constant, and of huge and tiny numbers."""
    rng = np.random.default_rng(seed)
    left, right = rng.random((7, 5)), rng.random((7, 5))
    left[:, 1] = rng.integers(0, 3, 7)
    left[:, 2] = [0, 0, 0, 0, 0, 0, 1]
    left[:, 3] = 0.3
    left[:, 4], right[:, 4] = 1e200 * left[:, 4], 1e-200 * right[:, 4]
    return left, right


def test_values_and_intervals_match_the_loops() -> None:
    left, right = paired_columns(0)
    weights = bootstrap_weights(7, 60, seed=1)
    found = correlations(torch.from_numpy(left), torch.from_numpy(right), weights, level=0.8)
    for kind, of_columns in ((found.pearson, imbalance.pearson), (found.spearman, oracle.spearman)):
        draws = np.full((60, 5), np.nan)
        for column in range(5):
            pair = left[:, column], right[:, column]
            np.testing.assert_allclose(kind.value[column].item(), of_columns(*pair), atol=1e-12)
            for draw, times in enumerate(weights.numpy()):
                draws[draw, column] = of_columns(*(oracle.resampled(side, times) for side in pair))
            expected = oracle.interval(draws[:, column], 0.8)
            np.testing.assert_allclose((kind.low[column].item(), kind.high[column].item()), expected, atol=1e-10)
        assert kind.mean == pytest.approx(imbalance.mean_of_defined(kind.value.numpy()))
        means = [imbalance.mean_of_defined(row) for row in draws]
        assert (kind.mean_low, kind.mean_high) == pytest.approx(oracle.interval(means, 0.8))
    assert np.isnan(found.pearson.value[3].item())
    assert np.isnan(found.spearman.low[3].item())


def spearman(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    return spearman_draws(left, right, torch.ones(1, len(left)))[0]


def test_spearman_is_that_of_scipy() -> None:
    left, right = paired_columns(3)
    kept = [0, 1, 2, 4]
    found = spearman(torch.from_numpy(left[:, kept]), torch.from_numpy(right[:, kept]))
    expected = [spearmanr(left[:, column], right[:, column]).statistic for column in kept]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


@given(numbers=st.lists(st.integers(-1000, 1000), min_size=2, max_size=15), seed=st.integers(0, 99))
def test_only_order_matters_to_spearman(numbers: list[int], seed: int) -> None:
    left = torch.tensor(numbers, dtype=torch.float64).unsqueeze(1)
    right = torch.rand(len(numbers), 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    found = spearman(left, right)
    torch.testing.assert_close(spearman(left**3, right.exp()), found, equal_nan=True)
    torch.testing.assert_close(spearman(-left, right), -found, equal_nan=True)
    assert found.isnan().item() == (len(set(numbers)) == 1)


def test_draws_without_an_outlier_keep_their_digits() -> None:
    rng = np.random.default_rng(0)
    left, right = 1e-7 * rng.random((20, 1)), rng.random((20, 1))
    left[0] = 1.0
    weights = bootstrap_weights(20, 40, seed=0)
    found = pearson_draws(torch.from_numpy(left), torch.from_numpy(right), weights).squeeze(1)
    for value, times in zip(found.tolist(), weights.numpy(), strict=True):
        drawn = [oracle.resampled(side[:, 0], times) for side in (left, right)]
        assert value == pytest.approx(imbalance.pearson(*drawn), abs=1e-9)


def test_one_row_and_missing_values_have_no_correlation() -> None:
    for left in (torch.rand(1, 2), torch.full((4, 2), torch.nan)):
        found = correlations(left, torch.rand(len(left), 2), bootstrap_weights(len(left), 5, seed=0), 0.95)
        for kind in (found.pearson, found.spearman):
            assert bool(torch.stack([kind.value, kind.low, kind.high]).isnan().all())
            assert np.isnan([kind.mean, kind.mean_low, kind.mean_high]).all()


def test_an_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = torch.Generator().manual_seed(0)
    common, own = (torch.randn(80, 400, generator=generator, dtype=torch.float64) for _ in range(2))
    right = 0.6 * common + 0.8 * own  # a correlation of 0.6
    found = correlations(common, right, bootstrap_weights(80, 300, seed=0), 0.9).pearson
    assert ((found.low < 0.6) & (found.high > 0.6)).double().mean().item() == pytest.approx(0.9, abs=0.05)


def test_draws_are_of_as_many_rows_and_repeatable() -> None:
    weights = bootstrap_weights(9, 500, seed=4)
    assert bool((weights.sum(dim=1) == 9).all())
    assert weights.mean(dim=0).sub(1).abs().max().item() < 0.2
    assert torch.equal(weights, bootstrap_weights(9, 500, seed=4))
    assert not torch.equal(weights, bootstrap_weights(9, 500, seed=5))


def test_impossible_settings() -> None:
    with pytest.raises(ArgumentError, match="resamples: expected at least 1, got 0"):
        bootstrap_weights(3, 0, seed=0)
    with pytest.raises(ArgumentError, match="level: expected a number between 0 and 1, got 95"):
        percentile_interval(torch.rand(3, 1), 95.0)


def test_quantiles_leave_missing_values_out() -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(20, 4))
    matrix[rng.random((20, 4)) < 0.3] = np.nan
    matrix[:, 3] = np.nan
    found = quantiles(torch.from_numpy(matrix), (0.0, 0.1, 0.5, 0.975, 1.0)).numpy()
    np.testing.assert_allclose(found[:, :3], np.nanquantile(matrix[:, :3], (0.0, 0.1, 0.5, 0.975, 1.0), axis=0))
    assert np.isnan(found[:, 3]).all()
    assert quantiles(torch.empty(0, 2), (0.5,)).isnan().all()


@given(st.lists(st.integers(0, 5), max_size=70))
def test_pieces_are_joined_in_their_order_and_stay_few(sizes: list[int]) -> None:
    numbers = torch.arange(sum(sizes))
    pieces: list[torch.Tensor] = []
    for count, piece in enumerate(numbers.split(sizes) if sizes else (), start=1):
        add_piece(pieces, piece)
        assert len(pieces) <= max(1, len(numbers)).bit_length() + 1
        if len(set(sizes)) == 1:
            assert len(pieces) <= count.bit_length()
    assert torch.equal(torch.cat(pieces) if pieces else numbers, numbers)
