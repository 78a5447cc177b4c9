import numpy as np
import pytest
import torch

from rezsl.functional.ridge import ridge
from tests.oracles import ridge as oracle


@pytest.mark.parametrize(("count", "dim"), [(9, 4), (6, 11)])
@pytest.mark.parametrize("penalty", [0.1, 2.0])
def test_predictions_and_left_out_rows_are_those_of_least_squares(
    count: int, dim: int, penalty: float, generator: torch.Generator
) -> None:
    features = torch.randn(count, dim, generator=generator, dtype=torch.float64) + 2
    targets = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    others = torch.randn(5, dim, generator=generator, dtype=torch.float64)
    fitted = ridge(features, targets, [penalty])
    exact = penalty * float((features - features.mean(dim=0)).square().sum(dim=1).mean())
    arguments = features.numpy(), targets.numpy(), exact
    np.testing.assert_allclose(fitted.predict(others), oracle.predict(*arguments, others.numpy()), rtol=1e-9)
    np.testing.assert_allclose(fitted.left_out, oracle.left_out(*arguments), rtol=1e-9)


def test_the_penalty_is_the_one_with_the_smallest_error_of_left_out_rows(generator: torch.Generator) -> None:
    features = torch.randn(12, 30, generator=generator, dtype=torch.float64)
    penalties = (0.01, 0.1, 1.0, 10.0, 100.0)
    size = float((features - features.mean(dim=0)).square().sum(dim=1).mean())
    noise = torch.randn(12, 2, generator=generator, dtype=torch.float64)
    chosen = set()
    for targets in (features[:, :2] * 5, noise):
        errors = [
            np.square(oracle.left_out(features.numpy(), targets.numpy(), penalty * size) - targets.numpy()).sum()
            for penalty in penalties
        ]
        fitted = ridge(features, targets, penalties)
        assert fitted.penalty == penalties[int(np.argmin(errors))]
        chosen.add(fitted.penalty)
    assert len(chosen) == 2


def test_equal_features_give_the_mean() -> None:
    targets = torch.tensor([[0.0], [1.0]])
    assert ridge(torch.ones(2, 3), targets).predict(torch.randn(4, 3)).tolist() == [[0.5]] * 4
