from dataclasses import replace
from functools import partial
from pathlib import Path

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


def network(groups: tuple[str, ...] | None = None, **options: float) -> GEMNet:
    torch.manual_seed(0)
    described = table(5, word_vectors=torch.randn(5, 3), groups=groups)
    return GEMNet(6, described, **options).double()  # type: ignore[arg-type] # height is whole below


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


def test_prediction_is_that_of_the_loops() -> None:
    model, regions = network(), torch.randn(2, 4, 6).double()
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    got, weights = model(regions).detach().numpy(), model.attention(regions).detach().numpy()
    for b, sample in enumerate(regions.numpy()):
        for s in range(5):
            logits = sample @ (state["query.weight"] @ model.word_vectors[s].numpy())
            attention = np.exp(logits) / np.exp(logits).sum()
            np.testing.assert_allclose(weights[b, s], attention)
            pooled = sample.mean(axis=0) @ state["pooled.weight"][s] + state["pooled.bias"][s]
            np.testing.assert_allclose(got[b, s], pooled + attention @ sample @ state["attended"][s])


def test_the_penalty_of_a_sample_is_its_spread_and_the_decorrelation() -> None:
    groups = ("wing", "bill", "wing", "tail", "bill")
    model = network(groups, compactness_weight=0.5, decorrelation_weight=2.0)
    regions = torch.randn(3, 9, 6).double()
    assert model.groups.tolist() == [0, 1, 0, 2, 1]
    with torch.no_grad():
        output = model.training_forward(regions, torch.zeros(3, 5).double())
        spread = np.array(oracle.compactness(model.attention(regions).numpy(), 3))
        shared = oracle.decorrelation(model.attended.numpy(), [0, 1, 0, 2, 1])
        np.testing.assert_allclose(output.penalty.numpy(), 0.5 * spread + 2.0 * shared)
        torch.testing.assert_close(output.prediction, model(regions))


def test_a_class_token_has_no_place_and_one_region_no_spread() -> None:
    model = network(decorrelation_weight=0.0)
    regions = torch.randn(2, 10, 6).double()
    weights = model.attention(regions).detach().numpy()[:, :, 1:]
    np.testing.assert_allclose(penalty(model, regions).numpy(), 0.2 * np.array(oracle.compactness(weights, 3)))
    assert penalty(model, regions[:, :1]).tolist() == [0.0, 0.0]
    wide = network(decorrelation_weight=0.0, height=2)
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


def test_an_option_out_of_range_is_named() -> None:
    with pytest.raises(ArgumentError, match=r"^compactness_weight: expected a finite number of at least 0, got -1\.0$"):
        network(compactness_weight=-1.0)
    with pytest.raises(ArgumentError, match=r"^decorrelation_weight: expected a finite number of at least 0, got inf$"):
        network(decorrelation_weight=float("inf"))
    with pytest.raises(ArgumentError, match=r"^height: expected the rows of the map, or 0 for a square one, got -1$"):
        network(height=-1)
