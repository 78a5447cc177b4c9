"""docs/theory.md, section 3: the effect of the powers, in general and in the limit."""

import math

import pytest
import torch
from torch import Tensor

from rezsl.functional import rebalancing_weights
from rezsl.losses import MSELoss, ReMSELoss

POWERS = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)


def matrix(classes: int = 6, attributes: int = 4, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(classes, attributes, generator=generator, dtype=torch.float64).mul(1.5).exp()


def test_no_power_is_mse_to_the_last_bit() -> None:
    prediction, target, labels = matrix(), matrix(seed=1), torch.arange(6) % 4
    assert ReMSELoss(0.0, 0.0)(prediction, target, labels) == MSELoss()(prediction, target, labels)


def test_weights_grow_with_each_power_and_with_the_error() -> None:
    errors = matrix()
    for other in POWERS:
        by_class = torch.stack([rebalancing_weights(errors, power, other) for power in POWERS])
        by_attribute = torch.stack([rebalancing_weights(errors, other, power) for power in POWERS])
        assert bool((by_class.diff(dim=0) >= 0).all())
        assert bool((by_attribute.diff(dim=0) >= 0).all())
    order = errors[:, 0].argsort()
    assert bool((rebalancing_weights(errors, 2.0, 0.0)[order, 0].diff() > 0).all())


def test_each_factor_is_independent_of_the_unit_within_which_it_compares() -> None:
    """Columns may be scaled for the class factor, rows for the attribute factor, and the whole matrix for both."""
    errors, generator = matrix(), torch.Generator().manual_seed(1)
    of_attribute = torch.rand(1, 4, generator=generator, dtype=torch.float64) + 0.1
    of_class = torch.rand(6, 1, generator=generator, dtype=torch.float64) + 0.1
    close = torch.testing.assert_close
    close(rebalancing_weights(errors * of_attribute, 1.5, 0.0), rebalancing_weights(errors, 1.5, 0.0))
    close(rebalancing_weights(errors * of_class, 0.0, 1.5), rebalancing_weights(errors, 0.0, 1.5))
    close(rebalancing_weights(1e-9 * errors, 1.5, 0.5), rebalancing_weights(errors, 1.5, 0.5))
    assert not torch.allclose(
        rebalancing_weights(errors * of_attribute, 0.0, 1.5), rebalancing_weights(errors, 0.0, 1.5)
    )


def test_each_factor_is_one_where_the_errors_it_compares_are_equal() -> None:
    """An attribute may be equally bad in all classes, and a class equally bad in all attributes."""
    bad_attribute = torch.tensor([[1.0, 50.0], [1.0, 50.0], [1.0, 50.0]])
    assert bool((rebalancing_weights(bad_attribute, 3.0, 0.0) == 1).all())
    assert bool((rebalancing_weights(bad_attribute, 0.0, 1.0)[:, 1] > 4).all())
    assert bool((rebalancing_weights(bad_attribute.T, 0.0, 3.0) == 1).all())
    assert bool((rebalancing_weights(bad_attribute.T, 1.0, 0.0)[1] > 4).all())


@pytest.mark.parametrize("count", [1, 1000])
def test_weights_do_not_depend_on_the_number_of_samples_of_a_class(count: int) -> None:
    """The weight of the rare class stays the same while the samples of the other class are multiplied."""
    labels = torch.cat([torch.zeros(2 * count), torch.ones(2)]).long()
    squared = torch.cat([torch.tensor([[1.0], [3.0]]).repeat(count, 1), torch.tensor([[2.0], [6.0]])])
    weights = ReMSELoss(1.0, 0.0).weights(squared, labels)
    assert weights[0].item() == 1
    assert weights[-1].item() == pytest.approx(1 + math.log(2))


def test_a_large_class_power_leaves_one_cell_and_it_need_not_be_the_largest_error() -> None:
    """The class factor compares within an attribute, so 50 against 1 has more weight than 100 against 100."""
    errors = torch.tensor([[100.0, 1.0], [100.0, 50.0]], dtype=torch.float64)
    for powers in ((200.0, 0.0), (200.0, 0.1)):
        weights = rebalancing_weights(errors, *powers)
        share = weights / weights.sum()
        assert float(share[1, 1]) == pytest.approx(1, abs=1e-9)
    ratios = [
        float(weights[1, 1] / weights[0, 0]) for weights in (rebalancing_weights(errors, p, 0.0) for p in (1.0, 2.0))
    ]
    assert ratios == pytest.approx([1 + math.log(50), (1 + math.log(50)) ** 2])


def test_one_cell_with_almost_no_error_makes_the_other_weights_equal() -> None:
    """As the smallest error falls, all other weights grow like ln(1/m) and their ratios go to 1."""
    ratios, weights = [], []
    for smallest in (1.0, 1e-2, 1e-4, 1e-8, 1e-16):
        column = rebalancing_weights(torch.tensor([[smallest], [1.0], [math.e]], dtype=torch.float64), 1.0, 0.0)
        weights.append(float(column[1]))
        ratios.append(float(column[2] / column[1]))
    assert weights == pytest.approx([1 - math.log(m) for m in (1.0, 1e-2, 1e-4, 1e-8, 1e-16)])
    assert ratios == pytest.approx([1 + 1 / weight for weight in weights])
    assert ratios[0] == pytest.approx(2)
    assert ratios[1] == pytest.approx(1.18, abs=0.01)


def test_a_cell_with_error_zero_is_left_out_of_the_minimum() -> None:
    """An error of 0 is left out of the minimum, so the weights jump there."""
    column = rebalancing_weights(torch.tensor([[0.0], [1.0], [math.e]], dtype=torch.float64), 1.0, 0.0)
    torch.testing.assert_close(column.squeeze(1), torch.tensor([1.0, 1.0, 2.0], dtype=torch.float64))


def test_with_unit_mean_large_errors_count_more_within_an_attribute_but_not_across() -> None:
    """Within one attribute weights and errors have the same order, so Σwe/Σw ≥ ē; across, a small error can weigh most."""
    for seed in range(20):
        column = matrix(attributes=1, seed=seed)
        weights = rebalancing_weights(column, 1.0, 0.0)
        assert float((weights * column).sum() / weights.sum()) >= float(column.mean())
    across = torch.tensor([[100.0, 1.0], [100.0, 50.0]], dtype=torch.float64)
    prediction, labels = across.sqrt(), torch.arange(2)
    plain, balanced = (
        float(loss(prediction, torch.zeros(2, 2).double(), labels))
        for loss in (MSELoss(normalize=False), ReMSELoss(1.0, 0.0, normalize=False, unit_mean=True))
    )
    assert plain == 62.75
    assert balanced == pytest.approx(56.5, abs=0.1)
