import math

import numpy as np
import pytest
import torch

from rezsl.functional.maps import gradient_map, mean_correlation
from rezsl.models import AttentionNet, LinearRegressor, MLPRegressor, SemanticModel
from rezsl.semantics import ClassSemantics
from tests.oracles.gradient import Floats, numerical_gradient


def table(attributes: int = 5) -> ClassSemantics:
    names = tuple(f"a{column}" for column in range(attributes))
    return ClassSemantics(("x", "y", "z"), names, torch.rand(3, attributes) + 0.1)


def regions_of(network: SemanticModel, samples: int = 3, cells: int = 4, channels: int = 6) -> torch.Tensor:
    network.double().eval()
    return torch.randn(samples, cells, channels, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("kind", [MLPRegressor, AttentionNet])
def test_gradient_times_activation_relative_to_the_mean_region(
    kind: type[MLPRegressor] | type[AttentionNet],
) -> None:
    torch.manual_seed(0)
    network = kind(6, table())
    if isinstance(network, AttentionNet):
        torch.nn.init.normal_(network.output.weight)
    regions = regions_of(network)
    found = gradient_map(network(regions), regions)
    assert found.shape == (3, 5, 4)
    for sample in range(3):
        at = regions[sample].detach().numpy()
        for column in range(5):

            def output(values: Floats, column: int = column) -> float:
                return float(network(torch.from_numpy(values)[None])[0, column].detach())

            slope = numerical_gradient(output, at)
            expected = [
                sum(slope[r, d] * (at[r, d] - at[:, d].mean()) for d in range(6)) for r in range(4)
            ]  # fmt: skip
            np.testing.assert_allclose(found[sample, column].numpy(), expected, rtol=1e-5, atol=1e-7)


def test_a_linear_model_loses_exactly_this_when_the_mean_region_replaces_a_region() -> None:
    torch.manual_seed(0)
    network = LinearRegressor(6, table())
    regions = regions_of(network)
    found = gradient_map(network(regions), regions)
    for cell in range(4):
        without = regions.detach().clone()
        without[:, cell] = regions.detach().mean(dim=1)
        torch.testing.assert_close(found[:, :, cell], (network(regions) - network(without)).detach())
    torch.testing.assert_close(found.sum(dim=2), torch.zeros(3, 5, dtype=torch.float64))


def test_mean_correlation_is_that_of_all_pairs() -> None:
    values = torch.rand(6, 3, 4, generator=torch.Generator().manual_seed(0))
    matrix = np.corrcoef(values.flatten(1).double().numpy())
    expected = (matrix.sum() - 6) / 30
    assert mean_correlation(values) == pytest.approx(expected, abs=1e-9)
    assert mean_correlation(torch.cat([values[:1], 3 + 2 * values[:1]])) == pytest.approx(1)


def test_maps_without_contrast_are_equal_to_each_other_and_to_no_other_map() -> None:
    flat, sloped = torch.full((2, 4), 0.25), torch.arange(4.0).unsqueeze(0)
    assert mean_correlation(flat) == pytest.approx(1)
    assert mean_correlation(torch.cat([flat[:1], sloped])) == pytest.approx(0)
    assert math.isnan(mean_correlation(sloped))
