from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import rezsl
from rezsl.data import Benchmark
from rezsl.errors import ArgumentError
from rezsl.models import ESZSL, SAE, Bilinear, ClosedForm, SemanticModel
from tests.models.tables import table
from tests.oracles import closed_forms as oracle
from tests.oracles.scoring import cosine_scores

METHODS = [ESZSL, SAE]
Method = type[ESZSL] | type[SAE]


def solved(kind: Method, size: int = 7, scale: float = 1.0, **options: float) -> ESZSL | SAE:
    """A model of 5 dimensions and 3 semantics, solved for on 24 samples of 4 classes."""
    generator = torch.Generator().manual_seed(0)
    model = kind(5, table(3), **options).double()
    assert isinstance(model, ClosedForm)
    features, labels = torch.randn(24, 5, generator=generator, dtype=torch.float64), torch.arange(24) % 4
    # An iterator: a second pass would find it empty.
    model.solve(iter([(scale * features[i : i + size], labels[i : i + size]) for i in range(0, 24, size)]), classes())
    return model


def classes() -> torch.Tensor:
    return torch.rand(4, 3, generator=torch.Generator().manual_seed(1)) + 0.1


def features() -> torch.Tensor:
    return torch.randn(24, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_eszsl_has_the_weights_of_its_paper_with_relative_penalties() -> None:
    model = solved(ESZSL, feature_penalty=0.5, semantic_penalty=0.2)
    rows = (classes() / classes().norm(dim=1, keepdim=True)).double().numpy()
    x = features().numpy()
    gamma, lam = 0.5 * (x**2).sum() / 5, 0.2 * (rows**2).sum() / 3
    expected = oracle.eszsl(x, np.arange(24) % 4, rows, gamma, lam)
    np.testing.assert_allclose(model(features()).detach().numpy(), x @ expected, rtol=1e-6, atol=1e-8)


def test_sae_has_the_least_objective_with_a_relative_penalty() -> None:
    weights = solved(SAE, penalty=0.5).state_dict()["readout.weight"].numpy()
    rows = (classes() / classes().norm(dim=1, keepdim=True)).double().numpy()
    x, samples = features().numpy(), rows[np.arange(24) % 4]
    lam = 0.5 * (samples**2).sum() / 3 / ((x**2).sum() / 5)
    least = oracle.sae_objective(weights, x, samples, lam)
    for step in np.random.default_rng(0).normal(size=(20, *weights.shape)):
        assert oracle.sae_objective(weights + 1e-3 * step, x, samples, lam) > least


@pytest.mark.parametrize("kind", METHODS)
def test_batches_and_the_size_of_features_do_not_change_which_class_wins(kind: Method) -> None:
    whole, parts, larger = solved(kind, 24), solved(kind, 7), solved(kind, 7, scale=1000.0)
    torch.testing.assert_close(parts(features()), whole(features()))
    scores = [
        model.class_scores(model(size * features()), classes(), 1.0) for model, size in ((parts, 1), (larger, 1000))
    ]
    torch.testing.assert_close(scores[0], scores[1])


@pytest.mark.parametrize("kind", [*METHODS, Bilinear])
def test_regions_are_pooled(kind: type[SemanticModel]) -> None:
    model = kind(5, table(3))
    regions = torch.randn(6, 4, 5)
    torch.testing.assert_close(model(regions), model(regions.mean(dim=1)))


def test_scores_are_dot_products_with_directions_or_cosines() -> None:
    predictions, rows = torch.randn(5, 3, dtype=torch.float64), classes().double()
    cosines = cosine_scores(predictions.numpy(), rows.numpy(), 20.0)
    lengths = np.linalg.norm(predictions.numpy(), axis=1, keepdims=True)
    for model, expected in (
        (Bilinear(5, table(3)), lengths * cosines),
        (ESZSL(5, table(3)), lengths * cosines),
        (SAE(5, table(3)), cosines),
    ):
        np.testing.assert_allclose(model.class_scores(predictions, rows, 20.0).numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("kind", METHODS)
def test_features_that_are_all_alike_give_finite_weights(kind: Method) -> None:
    model = kind(5, table(3))
    model.solve([(torch.zeros(8, 5), torch.arange(8) % 4)], classes())
    assert bool(model(torch.ones(2, 5)).isfinite().all())


@pytest.mark.parametrize("kind", METHODS)
def test_fit_selects_refits_tests_and_saves(kind: Method, learnable: Benchmark, tmp_path: Path) -> None:
    result = rezsl.fit(learnable, model=kind, run_dir=tmp_path / "run", progress=False)
    assert result.test is not None
    assert result.test.t1 > 0.7  # chance is 0.25
    assert result.choice.epochs == 1
    loaded = rezsl.load_model(tmp_path / "run")
    assert loaded.network.options == result.model.network.options
    assert rezsl.evaluate(loaded, learnable).metrics() == result.test.metrics()


def test_the_bilinear_model_learns(learnable: Benchmark) -> None:
    result = rezsl.fit(
        learnable,
        training=rezsl.Training(loss=None, max_epochs=10, accelerator="cpu"),
        model=Bilinear,
        progress=False,
    )
    assert result.test is not None
    assert result.test.t1 > 0.7


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (partial(ESZSL, feature_penalty=0.0), "feature_penalty"),
        (partial(ESZSL, semantic_penalty=-1.0), "semantic_penalty"),
        (partial(SAE, penalty=float("nan")), "penalty"),
    ],
)
def test_a_penalty_out_of_range_is_named(build: partial[SemanticModel], name: str) -> None:
    with pytest.raises(ArgumentError, match=f"^{name}: expected a positive number, got"):
        build(5, table(3))
