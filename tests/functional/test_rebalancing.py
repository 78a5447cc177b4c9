import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rezsl.errors import ArgumentError
from rezsl.functional import class_error_matrix, rebalancing_weights
from tests.oracles import remse as oracle

MATRICES = arrays(
    np.float64, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.just(0.0) | st.floats(1e-100, 1e100)
)
POWERS = st.floats(0, 4)


@given(
    errors=arrays(np.float64, (7, 3), elements=st.floats(0, 1e9)),
    labels=arrays(np.int64, 7, elements=st.integers(0, 4)),
)
def test_class_error_matrix_is_the_mean_of_each_present_class(errors: np.ndarray, labels: np.ndarray) -> None:
    matrix, classes = class_error_matrix(torch.from_numpy(errors), torch.from_numpy(labels))
    expected, expected_classes = oracle.class_error_matrix(errors, labels)
    np.testing.assert_allclose(matrix.numpy(), expected, rtol=1e-12)
    np.testing.assert_array_equal(classes.numpy(), expected_classes)


def test_half_precision_is_averaged_in_single_precision() -> None:
    errors = torch.full((4096, 1), 1.0, dtype=torch.bfloat16)
    errors[::2] = 3.0
    matrix, _ = class_error_matrix(errors, torch.zeros(4096, dtype=torch.int64))
    assert matrix.dtype == torch.float32
    assert matrix.item() == 2.0


@given(matrix=MATRICES, class_power=POWERS, semantic_power=POWERS)
def test_weights_match_the_literal_loops(matrix: np.ndarray, class_power: float, semantic_power: float) -> None:
    weights = rebalancing_weights(torch.from_numpy(matrix), class_power, semantic_power)
    np.testing.assert_allclose(
        weights.numpy(), oracle.rebalancing_weights(matrix, class_power, semantic_power), rtol=1e-9
    )
    assert bool((weights >= 1).all())


@given(matrix=MATRICES, factor=st.floats(1e-6, 1e6))
def test_weights_do_not_depend_on_the_unit_of_the_errors(matrix: np.ndarray, factor: float) -> None:
    weights = rebalancing_weights(torch.from_numpy(matrix), 1.0, 0.5)
    torch.testing.assert_close(rebalancing_weights(torch.from_numpy(matrix * factor), 1.0, 0.5), weights)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_weights_of_errors_60_orders_of_magnitude_apart(dtype: torch.dtype) -> None:
    weights = rebalancing_weights(torch.tensor([[1e-30, 1e30], [1e30, 1e-30]], dtype=dtype), 1.0, 0.0)
    torch.testing.assert_close(weights.max(), torch.tensor(1 + 60 * math.log(10), dtype=dtype))
    assert bool(weights.isfinite().all())


def test_no_classes_no_weights() -> None:
    assert rebalancing_weights(torch.empty(0, 5), 1.0, 1.0).shape == (0, 5)


@pytest.mark.parametrize("power", [-0.1, math.nan, math.inf])
def test_a_power_outside_its_range_is_refused(power: float) -> None:
    with pytest.raises(ArgumentError, match="semantic_power: expected a finite number of at least 0"):
        rebalancing_weights(torch.ones(2, 2), 1.0, power)
