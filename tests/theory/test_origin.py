"""docs/theory.md, section 8: imbalance that follows the values of the attributes, although no class is rare."""

import numpy as np
import pytest
import torch

from rezsl.data import load_synthetic
from rezsl.functional import imbalance
from rezsl.semantics import ClassSemantics
from tests.theory.problems import LinearProblem


def problem(values: torch.Tensor, noise_dependence: float = 0.0) -> LinearProblem:
    """Return many equally frequent classes with features that determine the attributes except for the noise."""
    count, attributes = values.shape
    table = ClassSemantics(
        tuple(f"class {c}" for c in range(count)), tuple(f"attribute {s}" for s in range(attributes)), values
    )
    benchmark = load_synthetic(
        table,
        samples=16000,
        dim=attributes,
        unseen=1,
        validation=0,
        feature_noise=0.0,
        noise_dependence=noise_dependence,
    )
    return LinearProblem.of(benchmark)


@pytest.mark.parametrize("kind", ["right-skewed", "uniform", "left-skewed"])
def test_shrinkage_makes_errors_follow_the_values_where_these_are_skewed(kind: str) -> None:
    """As e_cs ≈ (1 − κ)²(a_cs − ā_s)² + κ²σ_s², its correlation with a_cs has the sign of the skewness."""
    uniform = torch.rand(400, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    values = {"right-skewed": uniform**4, "uniform": uniform, "left-skewed": 1.001 - uniform**4}[kind]
    linear = problem(values.float())
    matrix = linear.matrix(linear.mse())
    kappa = 0.5  # the noise has the variance of the attributes
    centred = values - values.mean(dim=0)
    expected = (1 - kappa) ** 2 * centred.square() + kappa**2 * values.var(dim=0)
    assert float((matrix - expected).abs().mean() / expected.mean()) < 0.2  # 40 samples per class
    measured = imbalance(matrix, values).correlation_over_classes.mean().item()
    predicted = np.mean([np.corrcoef(values[:, s], centred[:, s].square())[0, 1] for s in range(5)])
    assert measured == pytest.approx(predicted, abs=0.06)
    assert {"right-skewed": measured > 0.7, "uniform": abs(measured) < 0.1, "left-skewed": measured < -0.7}[kind]


def test_noise_that_depends_on_the_value_does_so_without_skewness() -> None:
    values = torch.rand(400, 5, generator=torch.Generator().manual_seed(0)) + 0.1
    correlations = []
    for dependence in (-2.0, 0.0, 2.0):
        linear = problem(values, dependence)
        matrix = linear.matrix(linear.mse())
        correlations.append(float(imbalance(matrix, values).correlation_over_classes.mean()))
    assert correlations[0] < -0.5
    assert abs(correlations[1]) < 0.1
    assert correlations[2] > 0.5
