import numpy as np
import pytest
import torch

from rezsl.errors import ArgumentError
from rezsl.functional.imbalance import error_fall_rate
from tests.oracles import analysis_errors as oracle


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
        np.testing.assert_allclose(rate[k, s], oracle.fall_rate(matrices[:, k, s], epochs), rtol=1e-9, atol=1e-12)
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
