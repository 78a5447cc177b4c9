import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from rezsl.errors import ArgumentError
from rezsl.functional.softmax_regression import softmax_regression
from tests.oracles import generative as oracle


def problem(samples: int = 30, dim: int = 3, classes: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    labels = torch.cat([torch.arange(classes), torch.randint(classes, (samples - classes,), generator=generator)])
    centers = torch.randn(classes, dim, generator=generator, dtype=torch.float64)
    noise = torch.randn(samples, dim, generator=generator, dtype=torch.float64)
    return 5 + (centers[labels] + noise) * torch.tensor([0.1, 1.0, 20.0]), labels


@pytest.mark.parametrize("penalty", [0.01, 0.3])
def test_the_solution_minimises_the_objective(penalty: float) -> None:
    features, labels = problem()
    weight, bias = softmax_regression(features, labels, 4, penalty)
    arrays = (features.numpy(), labels.numpy(), penalty, oracle.balanced_deviation(features.numpy(), labels.numpy()))

    def objective(flat: np.ndarray) -> float:
        whole = flat.reshape(4, 4)
        return oracle.softmax_objective(whole[:, :3] / arrays[3], whole[:, 3], *arrays)

    best = minimize(objective, np.zeros(16), method="BFGS", options={"gtol": 1e-7}).fun
    found = oracle.softmax_objective(weight.numpy(), bias.numpy(), *arrays)
    assert found == pytest.approx(best, rel=2e-4)


def test_units_and_repeated_samples_change_nothing() -> None:
    features, labels = problem()
    weight, bias = softmax_regression(features, labels, 4, 0.1)
    scaled, shifted = softmax_regression(features * 7 + 3, labels, 4, 0.1)
    expected = features @ weight.T + bias
    torch.testing.assert_close((features * 7 + 3) @ scaled.T + shifted, expected, rtol=1e-6, atol=1e-6)
    # A class that is drawn three times as often has the same weight.
    often = torch.cat([torch.arange(len(labels)), *[(labels == 2).nonzero().squeeze(1)] * 2])
    again, again_bias = softmax_regression(features[often], labels[often], 4, 0.1)
    torch.testing.assert_close(features @ again.T + again_bias, expected, rtol=1e-6, atol=1e-6)


def test_constant_features_and_single_classes_are_allowed() -> None:
    features, labels = problem()
    features[:, 1] = 2.0
    weight, bias = softmax_regression(features.float(), labels, 4, 0.1)
    assert weight.dtype == torch.float32
    assert bool(weight.isfinite().all())
    assert bool(bias.isfinite().all())
    alone, _ = softmax_regression(features[labels == 0], labels[labels == 0], 1, 0.1)
    assert float(alone.abs().max()) == 0


def test_what_cannot_be_fitted_is_refused() -> None:
    features, labels = problem()
    with pytest.raises(ArgumentError, match="labels: expected samples of each of 5 classes"):
        softmax_regression(features, labels, 5, 0.1)
    with pytest.raises(ArgumentError, match=r"penalty: expected a positive number, got 0\.0"):
        softmax_regression(features, labels, 4, 0.0)
    features[3, 1] = torch.nan
    with pytest.raises(ArgumentError, match="features: expected finite numbers"):
        softmax_regression(features, labels, 4, 0.1)
