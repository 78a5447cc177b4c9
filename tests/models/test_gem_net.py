from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rezsl
from rezsl.data import Benchmark
from rezsl.errors import ArgumentError
from rezsl.functional.attention import compactness, decorrelation
from rezsl.models import GEMNet
from tests.models.tables import table
from tests.oracles import attention_penalties as oracle
from tests.oracles.remse import normalize_rows

GROUPS = ("wing", "bill", "wing", "tail", "bill")


def network(groups: tuple[str, ...] | None = None, **options: Any) -> GEMNet:
    torch.manual_seed(0)
    described = table(5, word_vectors=torch.randn(5, 3), groups=groups)
    return GEMNet(6, described, **{"peak_weight": 0.0, "decorrelation_weight": 0.0} | options).double()


def penalty(model: GEMNet, regions: torch.Tensor) -> torch.Tensor:
    return model.training_forward(regions, torch.zeros(len(regions), 5).double()).penalty.detach()


@pytest.mark.parametrize(("regions", "height"), [(9, 3), (6, 2), (6, 3), (4, 1), (1, 1)])
def test_compactness_is_that_of_the_loops(regions: int, height: int, generator: torch.Generator) -> None:
    attention = torch.randn(2, 5, regions, generator=generator).double().softmax(dim=2)
    np.testing.assert_allclose(compactness(attention, height).numpy(), oracle.compactness(attention.numpy(), height))


def test_decorrelation_is_that_of_the_loops_and_has_a_finite_gradient() -> None:
    readout, groups = torch.randn(5, 4).double(), torch.tensor([0, 1, 0, 2, 1])
    readout[:, 1] = 0
    leaf = readout.clone().requires_grad_()
    value = decorrelation(leaf, groups)
    assert float(value.detach()) == pytest.approx(oracle.decorrelation(readout.numpy(), groups.tolist()))
    value.backward()
    assert leaf.grad is not None
    assert bool(leaf.grad.isfinite().all())


@pytest.mark.parametrize("prediction", ["pooled", "sum"])
def test_prediction_is_that_of_the_loops(prediction: str) -> None:
    model, regions = network(prediction=prediction), torch.randn(2, 4, 6).double()
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    got, weights = model(regions).detach().numpy(), model.attention(regions).detach().numpy()
    for b, sample in enumerate(regions.numpy()):
        for s in range(5):
            logits = sample @ (state["query.weight"] @ model.word_vectors[s].numpy())
            attention = np.exp(logits) / np.exp(logits).sum()
            np.testing.assert_allclose(weights[b, s], attention)
            expected = sample.mean(axis=0) @ state["pooled.weight"][s] + state["pooled.bias"][s]
            if prediction == "sum":
                expected += attention @ sample @ state["attended"][s]
            np.testing.assert_allclose(got[b, s], expected)


def test_the_penalty_of_a_sample_is_the_sum_of_its_terms() -> None:
    model = network(GROUPS, peak_weight=3.0, compactness_weight=0.5, decorrelation_weight=2.0)
    regions, target = torch.randn(3, 9, 6).double(), torch.rand(3, 5).double()
    assert model.groups.tolist() == [0, 1, 0, 2, 1]
    with torch.no_grad():
        output = model.training_forward(regions, target)
        attention, directions = model.attention(regions).numpy(), normalize_rows(target.numpy())
        spread = oracle.compactness(attention, 3)
        shared = oracle.published_decorrelation(model.query(model.word_vectors).numpy(), [0, 1, 0, 2, 1])
        peaks = [oracle.published_peaks(attention[b : b + 1], directions[b : b + 1]) for b in range(3)]
        expected = [3.0 * peak + 0.5 * one + 2.0 * shared for peak, one in zip(peaks, spread, strict=True)]
        np.testing.assert_allclose(output.penalty.numpy(), expected)
        torch.testing.assert_close(output.prediction, model(regions))


@pytest.mark.parametrize("side", [2, 3, 14])
def test_the_mean_penalty_is_that_of_the_published_code(side: int) -> None:
    """Its weights are 1, 0.2 and 0.1; its compactness counts in cells, which is a factor of the weight here."""
    model = network(
        GROUPS, peak_weight=1.0, compactness_weight=0.2 * ((side - 1) / side) ** 2, decorrelation_weight=0.1
    )
    regions, target = torch.randn(3, side**2, 6).double(), torch.rand(3, 5).double()
    with torch.no_grad():
        attention = model.attention(regions).numpy()
        published = oracle.published_peaks(attention, normalize_rows(target.numpy()))
        published += 0.2 * oracle.published_compactness(attention, side)
        published += 0.1 * oracle.published_decorrelation(model.query(model.word_vectors).numpy(), [0, 1, 0, 2, 1])
        assert float(model.training_forward(regions, target).penalty.mean()) == pytest.approx(published)


def test_attention_changes_a_prediction_only_where_it_is_part_of_it() -> None:
    regions = torch.randn(2, 4, 6).double()
    for prediction, differs in (("pooled", False), ("sum", True)):
        model = network(prediction=prediction)
        before = model(regions)
        with torch.no_grad():
            model.query.weight += 1
        assert bool((model(regions) != before).any()) == differs


def test_a_class_token_has_no_place_and_one_region_no_spread() -> None:
    model = network()
    regions = torch.randn(2, 10, 6).double()
    weights = model.attention(regions).detach().numpy()[:, :, 1:]
    np.testing.assert_allclose(penalty(model, regions).numpy(), 0.2 * np.array(oracle.compactness(weights, 3)))
    assert penalty(model, regions[:, :1]).tolist() == [0.0, 0.0]
    wide = network(height=2)
    assert float(penalty(wide, regions[:, :6]).min()) > 0


def test_regions_that_are_no_map_are_refused_in_training_only() -> None:
    regions = torch.randn(2, 7, 6).double()
    with pytest.raises(
        ArgumentError, match=r"^regions: expected a square map, or the same and a class token, got 7 regions; "
    ):
        penalty(network(), regions)
    with pytest.raises(
        ArgumentError, match=r"^regions: expected rows of 4 equal lengths, .*, got 7 regions; set height"
    ):
        penalty(network(height=4), regions)
    assert network()(regions).shape == (2, 5)
    assert bool(penalty(network(compactness_weight=0.0), regions).isfinite().all())


def test_groups_come_from_the_table_and_are_saved_with_it(learnable: Benchmark, tmp_path: Path) -> None:
    groups = ("a", "a", "b", "b", "c", "c")
    data = replace(learnable, semantics=replace(learnable.semantics, groups=groups))
    build = partial(GEMNet, decorrelation_weight=0.02)
    result = rezsl.fit(
        data,
        training=rezsl.Training(max_epochs=6, accelerator="cpu"),
        model=build,
        run_dir=tmp_path / "run",
        progress=False,
    )
    assert result.test is not None
    assert result.test.t1 > 0.7  # chance is 0.25
    loaded = rezsl.load_model(tmp_path / "run")
    assert isinstance(loaded.network, GEMNet)
    assert loaded.network.groups.tolist() == [0, 0, 1, 1, 2, 2]
    assert loaded.network.decorrelation_weight == 0.02
    assert rezsl.evaluate(loaded, data).metrics() == result.test.metrics()


def test_an_option_out_of_range_is_named(unchecked: None) -> None:
    with pytest.raises(ArgumentError, match=r"^compactness_weight: expected a finite number of at least 0, got -1\.0$"):
        network(compactness_weight=-1.0)
    with pytest.raises(ArgumentError, match=r"^decorrelation_weight: expected a finite number of at least 0, got inf$"):
        network(decorrelation_weight=float("inf"))
    with pytest.raises(ArgumentError, match=r"^peak_weight: expected a finite number of at least 0, got -2\.0$"):
        network(peak_weight=-2.0)
    with pytest.raises(ArgumentError, match=r"^prediction: expected one of pooled, sum, got 'both'$"):
        network(prediction="both")
    with pytest.raises(ArgumentError, match=r"^height: expected the rows of the map, or 0 for a square one, got -1$"):
        network(height=-1)
