import numpy as np
import pytest
import torch

from rezsl.functional import imbalance
from tests.oracles import imbalance as oracle


def test_all_figures_match_the_literal_loops(generator: torch.Generator) -> None:
    matrix = torch.rand(9, 5, generator=generator, dtype=torch.float64)
    semantics = torch.rand(9, 5, generator=generator, dtype=torch.float64)
    semantics[:, 2] = 0.3  # constant over classes
    semantics[4] = 0.3  # constant over semantics
    result = imbalance(matrix, semantics)
    over_classes = oracle.correlation_per_semantic(matrix.numpy(), semantics.numpy())
    over_semantics = oracle.correlation_per_class(matrix.numpy(), semantics.numpy())
    np.testing.assert_allclose(result.correlation_over_classes.numpy(), over_classes, atol=1e-12)
    np.testing.assert_allclose(result.correlation_over_semantics.numpy(), over_semantics, atol=1e-12)
    assert (result.mean, result.spread) == pytest.approx(oracle.semantic_error_mean_and_deviation(matrix.numpy()))
    assert result.class_correlation == pytest.approx(oracle.mean_of_defined(over_classes))
    assert result.semantic_correlation == pytest.approx(oracle.mean_of_defined(over_semantics))


def test_errors_that_equal_the_semantics_correlate_perfectly() -> None:
    semantics = torch.rand(6, 3)
    result = imbalance(2 * semantics + 1, semantics)
    assert result.class_correlation == pytest.approx(1.0, abs=1e-6)


def test_a_single_class_has_no_correlation() -> None:
    result = imbalance(torch.rand(1, 3), torch.rand(1, 3))
    assert bool(result.correlation_over_classes.isnan().all())
    assert np.isnan(result.class_correlation)
