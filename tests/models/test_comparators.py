"""LATEM, SYNC, CN-ZSL and APN: their formulas against loops, and their way through training, files and new classes."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rezsl
from rezsl.data import Benchmark
from rezsl.errors import ArgumentError
from rezsl.losses import ClassificationLoss, CrossEntropyLoss, DeViSELoss, OneVersusOtherLoss, StructuredLoss
from rezsl.models import APN, CNZSL, LATEM, SYNC, SemanticModel
from rezsl.semantics import ClassSemantics
from tests.models.tables import table
from tests.oracles import comparators as oracle
from tests.training.interruptions import PowerCut, PowerCutError

BUILDS: dict[str, Any] = {
    "latem": partial(LATEM, maps=3),
    "sync": SYNC,
    "cn_zsl": partial(CNZSL, hidden_dim=64),
    "cn_zsl rectified": partial(CNZSL, hidden_dim=64, rectified=True),
    "apn": partial(APN, adapter_dim=4, local_weight=0.5),
}
CLASSIFICATION: dict[str, ClassificationLoss] = {"latem": DeViSELoss(), "sync": OneVersusOtherLoss()}


def classes(count: int = 4) -> torch.Tensor:
    return torch.rand(count, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64) + 0.1


def features(count: int = 6) -> torch.Tensor:
    return torch.randn(count, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_latem_scores_are_the_highest_of_the_maps() -> None:
    model = LATEM(5, table(3), maps=4).double()
    maps = model.readout.weight.detach().numpy().reshape(4, 3, 5)
    scores = model.class_scores(model(features()), classes(), 7.0).detach().numpy()
    np.testing.assert_allclose(scores, 7.0 * oracle.latem_scores(features().numpy(), maps, classes().numpy()))
    model.kept[1] = False
    scores = model.class_scores(model(features()), classes(), 1.0).detach().numpy()
    np.testing.assert_allclose(scores, oracle.latem_scores(features().numpy(), maps[[0, 2, 3]], classes().numpy()))


def test_latem_gives_up_maps_that_are_not_used() -> None:
    model = LATEM(5, table(3), maps=3, prune_below=0.3).double()
    with torch.no_grad():
        model.readout.weight.zero_()
        model.readout.weight[0], model.readout.weight[3] = 1.0, torch.tensor([-1.0, 0, 0, 0, 0])
    ones = torch.ones(1, 5, dtype=torch.float64)
    inputs, target = torch.cat([ones] * 7 + [-ones] * 3), torch.eye(3, dtype=torch.float64)[[0] * 10]
    model.start_epoch()
    assert model.kept.tolist() == [True] * 3
    model.training_forward(inputs, target)
    model.start_epoch()
    assert model.kept.tolist() == [True, True, False]  # 7, 3 and 0 of 10 samples
    model.training_forward(inputs[:7], target[:7])
    model.training_forward(inputs[7:8], target[7:8])
    model.start_epoch()
    assert model.kept.tolist() == [True, False, False]
    model.training_forward(inputs[7:], target[7:])
    model.start_epoch()
    assert model.kept.tolist() == [True, False, False]  # the last one remains


def test_sync_synthesises_classifiers_from_those_of_the_training_classes() -> None:
    model = SYNC(5, table(3), width=0.4, penalty=0.2).double()
    seen, other = classes(7)[:4], classes(7)[4:]
    model.prepare(seen.float())
    model.double()
    bases = torch.randn(4, 5, dtype=torch.float64)
    model.load_state_dict(model.state_dict() | {"bases": bases})
    sigma_squared = 0.4 * oracle.mean_square_distance(seen.numpy())
    near = oracle.sync_similarities(other.numpy(), seen.numpy(), sigma_squared)
    np.testing.assert_allclose(model.nearness(other).numpy(), near, rtol=1e-4)
    expected = oracle.sync_scores(features().numpy(), bases.numpy(), near)
    scores = model.class_scores(model(features()), other, 20.0).detach().numpy()
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-5)
    own = oracle.sync_similarities(seen.numpy(), seen.numpy(), sigma_squared) @ bases.numpy()
    penalty = model.training_forward(features(), features()[:, :3]).penalty
    np.testing.assert_allclose(penalty.detach().numpy(), np.full(6, 0.1 * (own**2).sum()), rtol=1e-4)


def test_a_narrow_width_leaves_each_training_class_its_own_classifier() -> None:
    model = SYNC(5, table(3), width=1e-3)
    model.prepare(classes().float())
    torch.testing.assert_close(model.nearness(classes().float()), torch.eye(4))


@pytest.mark.parametrize("rectified", [False, True])
def test_cn_zsl_standardises_over_training_classes_alone(rectified: bool) -> None:
    model = CNZSL(5, table(3), hidden_dim=6, rectified=rectified).double()
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    weights = [(state[f"{layer}.weight"], state[f"{layer}.bias"]) for layer in ("embed.0", "embed.2", "readout")]
    seen, other = classes(7)[:4], classes(7)[4:]

    def scores(of: torch.Tensor) -> np.ndarray:
        found: np.ndarray = model.class_scores(model(features()), of, 3.0).detach().numpy()
        return found

    def expected(prototypes: np.ndarray) -> np.ndarray:
        x = features().numpy()
        return np.array([[3.0 * oracle.unit(row) @ oracle.unit(p) for p in prototypes] for row in x])

    model.prepare(seen)
    np.testing.assert_allclose(
        scores(seen), expected(oracle.cn_zsl_prototypes(seen.numpy(), weights, rectified=rectified))
    )
    model.eval()
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    statistics = [(state[f"embed.{place}.running_mean"], state[f"embed.{place}.running_var"]) for place in (3, 5)]
    prototypes = oracle.cn_zsl_prototypes(other.numpy(), weights, statistics, rectified)
    np.testing.assert_allclose(scores(other), expected(prototypes))
    # The others in the table have no influence on the score of a class.
    np.testing.assert_allclose(scores(other[:1]), scores(other)[:, :1])


def test_prototypes_of_cn_zsl_begin_with_about_length_1_whatever_the_widths() -> None:
    for hidden, dim in ((64, 32), (512, 400)):
        model = CNZSL(dim, table(40), hidden_dim=hidden)
        model.readout.bias.data.zero_()
        lengths = model.prototypes(torch.rand(60, 40) + 0.1).detach().norm(dim=1)
        assert float(lengths.square().mean()) == pytest.approx(1.0, rel=0.2)


def test_cn_zsl_needs_classes_to_standardise_over() -> None:
    with pytest.raises(ArgumentError, match="classes: expected at least two training classes"):
        CNZSL(5, table(3)).prepare(torch.ones(1, 3))


@pytest.mark.parametrize(("count", "height", "first"), [(9, 0, 0), (10, 0, 1), (6, 2, 0)])
def test_apn_predicts_and_is_penalised_as_its_paper_writes(count: int, height: int, first: int) -> None:
    weights: dict[str, Any] = {"regression_weight": 0.7, "decorrelation_weight": 0.3, "compactness_weight": 0.9}
    described = table(4, groups=("beak", "wing", "beak", "tail"))
    model = APN(5, described, local_weight=0.6, height=height, **weights).double()
    regions, target = torch.randn(3, count, 5).double(), torch.rand(3, 4).double() + 0.1
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    prediction, penalty = oracle.apn(
        regions.numpy(), state["pooled.weight"], state["prototypes"], target.numpy(), np.array([0, 1, 0, 2]),
        height or 3, first, local_weight=0.6, **weights,
    )  # fmt: skip
    found = model.training_forward(regions, target)
    np.testing.assert_allclose(found.prediction.detach().numpy(), prediction)
    np.testing.assert_allclose(found.penalty.detach().numpy(), penalty)
    np.testing.assert_allclose(model(regions).detach().numpy(), prediction)


def test_the_adapter_of_apn_begins_without_effect_and_is_shared() -> None:
    model = APN(5, table(3), adapter_dim=4, compactness_weight=0.0)
    plain = APN(5, table(3), compactness_weight=0.0)
    plain.load_state_dict(model.state_dict(), strict=False)
    regions = torch.randn(2, 9, 5)
    torch.testing.assert_close(model(regions), plain(regions))
    torch.testing.assert_close(model.attention(regions), plain.attention(regions))
    assert model.adapter is not None
    model.load_state_dict(model.state_dict() | {"adapter.2.weight": torch.randn(5, 4)})
    assert not torch.allclose(model(regions), plain(regions))
    assert not torch.allclose(model.attention(regions), plain.attention(regions))


def test_regions_of_apn_must_form_a_map_where_their_spread_counts() -> None:
    model = APN(5, table(3))
    with pytest.raises(ArgumentError, match="regions: expected a square map, or the same and a class token, got 7"):
        model.training_forward(torch.randn(2, 7, 5), torch.rand(2, 3))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", BUILDS)
def test_fit_selects_refits_tests_and_saves(name: str, learnable: Benchmark, tmp_path: Path) -> None:
    classification = CLASSIFICATION.get(name, CrossEntropyLoss())
    training = rezsl.Training(loss=None, classification=classification, max_epochs=5, accelerator="cpu")
    result = rezsl.fit(learnable, model=BUILDS[name], training=training, run_dir=tmp_path / "run", progress=False)
    assert result.test is not None
    assert result.test.t1 > 0.6  # chance is 0.25
    loaded = rezsl.load_model(tmp_path / "run")
    assert loaded.network.options == result.model.network.options
    assert rezsl.evaluate(loaded, learnable).to_dict() == result.test.to_dict()
    # A class that the model has never heard of is recognised by its description.
    new = ClassSemantics(("new",), learnable.semantics.attributes, learnable.semantics.values[[23]])
    outputs, _ = loaded.examine(learnable.inputs, index=torch.arange(3))
    torch.testing.assert_close(loaded.scores(outputs, new)[:, 0], loaded.scores(outputs)[:, 23])


def test_the_structured_loss_trains_sync(learnable: Benchmark) -> None:
    training = rezsl.Training(loss=None, classification=StructuredLoss(), max_epochs=5, accelerator="cpu")
    result = rezsl.fit(learnable, model=SYNC, training=training, progress=False)
    assert result.test is not None
    assert result.test.t1 > 0.6


def test_an_interrupted_sync_goes_on_with_its_phantom_classes(learnable: Benchmark, tmp_path: Path) -> None:
    training = rezsl.Training(loss=None, max_epochs=3, accelerator="cpu")
    fit = partial(rezsl.fit, learnable, model=SYNC, training=training, progress=False)
    whole = fit()
    with pytest.raises(PowerCutError):
        fit(run_dir=tmp_path / "run", callbacks=[PowerCut(2)])
    resumed = fit(run_dir=tmp_path / "run", resume=True)
    torch.testing.assert_close(resumed.model.network.state_dict(), whole.model.network.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (partial(LATEM, maps=0), "maps: expected at least 1"),
        (partial(LATEM, prune_below=1.0), "prune_below: expected"),
        (partial(SYNC, width=0.0), "width: expected a positive number"),
        (partial(SYNC, penalty=-1.0), "penalty: expected"),
        (partial(CNZSL, hidden_dim=0), "hidden_dim: expected at least 1"),
        (partial(APN, local_weight=-1.0), "local_weight: expected"),
        (partial(APN, adapter_dim=-1), "adapter_dim: expected at least 0"),
    ],
)
def test_an_option_out_of_range_is_named(build: "partial[SemanticModel]", message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        build(5, table(3))
