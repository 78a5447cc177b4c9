from pathlib import Path

import numpy as np
import pytest
import torch

import rezsl
from rezsl.data import Benchmark
from rezsl.errors import ArgumentError
from rezsl.models import DAP
from tests.models.tables import table
from tests.oracles import closed_forms as oracle

ROWS = torch.tensor([[0.9, 0.1, 0.5], [0.8, 0.7, 0.5], [0.1, 0.6, 0.5], [0.2, 0.0, 0.5]])
"""Four classes; the third attribute tells none of them apart."""


def solved(size: int = 7, scale: float = 1.0) -> tuple[DAP, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    features, labels = torch.randn(40, 5, generator=generator).double() + 0.3, torch.arange(40) % 4
    features += ROWS[labels] @ torch.randn(3, 5, generator=generator) * 2
    model = DAP(5, table(3), penalty=0.1).double()
    model.solve(((scale * features[i : i + size], labels[i : i + size]) for i in range(0, 40, size)), ROWS)
    return model, features, labels


def test_each_classifier_is_at_the_minimum_of_its_objective() -> None:
    model, features, labels = solved()
    size = features.square().mean().sqrt()  # the penalty counts for features of mean square 1
    weights, bias = model.readout.weight.detach()[:2] * size, model.readout.bias.detach()[:2]
    targets = ROWS.gt(ROWS.mean(dim=0))[labels][:, :2].double()
    gradients = oracle.logistic_gradient(
        (features / size).numpy(), targets.numpy(), weights.numpy(), bias.numpy(), penalty=0.1
    )
    assert max(np.abs(gradient).max() for gradient in gradients) < 1e-6
    np.testing.assert_allclose(
        model(features)[:, :2].detach().numpy(), 1 / (1 + np.exp(-(features / size @ weights.T + bias).numpy()))
    )


def test_scores_are_the_explicit_products() -> None:
    model, features, _ = solved()
    predictions = model(features)
    scores = model.class_scores(predictions, ROWS, scale=20.0)
    binary, priors = ROWS.gt(ROWS.mean(dim=0)).numpy(), np.array([0.5, 0.5, 0.5])
    expected = oracle.dap_scores(predictions.detach().numpy(), binary, priors)
    np.testing.assert_allclose(scores.detach().numpy(), expected, rtol=1e-7, atol=1e-9)


def test_priors_are_shares_of_the_training_classes() -> None:
    model, features, labels = solved()
    model.solve([(features, labels % 3)], ROWS[:3])
    binary = ROWS[:3].gt(ROWS[:3].mean(dim=0)).numpy()
    priors = np.array([2 / 3, 2 / 3, 0.5])
    predictions = model(features).detach()
    expected = oracle.dap_scores(predictions.numpy(), binary, priors)
    np.testing.assert_allclose(model.class_scores(predictions, ROWS[:3], 1.0).numpy(), expected, rtol=1e-5, atol=1e-6)


def test_an_attribute_that_all_classes_share_tells_none_apart() -> None:
    model, features, _ = solved()
    predictions = model(features)
    assert bool((predictions[:, 2] == 0.5).all())
    other = ROWS.clone()
    other[:2, 2] = 9.0
    torch.testing.assert_close(model.class_scores(predictions, other, 1.0), model.class_scores(predictions, ROWS, 1.0))


def test_batches_and_the_size_of_features_do_not_matter() -> None:
    (one, features, _), (whole, _, _), (larger, _, _) = solved(), solved(size=40), solved(scale=1000.0)
    torch.testing.assert_close(whole(features), one(features))
    torch.testing.assert_close(larger(1000 * features), one(features), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_probabilities_never_reach_0_or_1(dtype: torch.dtype) -> None:
    model = solved()[0].to(dtype)
    predictions = model(torch.tensor([[1e6] * 5, [-1e6] * 5], dtype=dtype))
    assert bool(((predictions > 0) & (predictions < 1)).all())
    assert bool(model.class_scores(predictions, ROWS, 1.0).isfinite().all())


def test_fit_selects_refits_tests_and_saves(learnable: Benchmark, tmp_path: Path) -> None:
    result = rezsl.fit(learnable, model=DAP, run_dir=tmp_path / "run", progress=False)
    assert result.test is not None
    assert result.test.t1 > 0.4  # chance is 0.25; yes and no say less than numbers
    loaded = rezsl.load_model(tmp_path / "run")
    for name, tensor in result.model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    assert "network.thresholds" in loaded.state_dict()
    assert rezsl.evaluate(loaded, learnable).metrics() == result.test.metrics()


def test_what_cannot_be_solved_is_refused_in_one_line() -> None:
    with pytest.raises(ArgumentError, match=r"^penalty: expected a positive number, got 0\.0$"):
        DAP(5, table(3), penalty=0.0)
    model = DAP(5, table(3))
    with pytest.raises(ArgumentError, match=r"^batches: expected training samples, got none; give at least one batch$"):
        model.solve([], ROWS)
    with pytest.raises(ArgumentError, match=r"^features: expected finite numbers, got others"):
        model.solve([(torch.full((4, 5), float("nan")), torch.arange(4))], ROWS)
