import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rezsl.errors import ArgumentError
from rezsl.functional.attribute_quality import (
    area_under_roc,
    attribute_r_squared,
    average_precision,
    binary_attributes,
)
from rezsl.functional.imbalance import class_error_matrix
from tests.oracles import measures


def ranked_case(seed: int, samples: int, ties: int) -> tuple[Tensor, Tensor]:
    """Predictions with as many different values as ``ties`` says, and attributes that all kinds of samples have."""
    generator = torch.Generator().manual_seed(seed)
    predictions = torch.randint(ties, (samples, 4), generator=generator).double() / ties
    present = torch.rand(samples, 4, generator=generator) < torch.tensor([0.1, 0.5, 0.9, 0.3])
    return predictions, present


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), samples=st.integers(2, 40), ties=st.sampled_from([1, 2, 5, 1000]))
def test_ranking_measures_are_those_of_the_definitions(seed: int, samples: int, ties: int) -> None:
    predictions, present = ranked_case(seed, samples, ties)
    found = [average_precision(predictions, present), area_under_roc(predictions, present)]
    for column in range(4):
        values, has = predictions[:, column].numpy(), present[:, column].numpy()
        if has.all() or not has.any():
            assert all(math.isnan(one[column]) for one in found)
            continue
        expected = [measures.average_precision(values, has), measures.area_under_roc(values, has)]
        assert [float(one[column]) for one in found] == pytest.approx(expected, abs=1e-12)


def test_ranking_measures_agree_with_other_libraries() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    from torchmetrics.functional.classification import (  # noqa: PLC0415 - an import of seconds
        multilabel_auroc,
        multilabel_average_precision,
    )

    predictions, present = ranked_case(3, 200, 20)
    precision, area = average_precision(predictions, present), area_under_roc(predictions, present)
    np.testing.assert_allclose(precision, metrics.average_precision_score(present, predictions, average=None), 1e-12)
    np.testing.assert_allclose(area, metrics.roc_auc_score(present, predictions, average=None), 1e-12)
    for ours, theirs in ((precision, multilabel_average_precision), (area, multilabel_auroc)):
        other = theirs(predictions, present.long(), num_labels=4, average=None)
        torch.testing.assert_close(ours, other.double(), rtol=1e-5, atol=1e-6)


def test_only_the_order_of_predictions_counts() -> None:
    predictions, present = ranked_case(5, 60, 1000)
    for measure in (average_precision, area_under_roc):
        torch.testing.assert_close(measure(predictions.exp() * 7, present), measure(predictions, present))
    mirrored = area_under_roc(-predictions, present)
    torch.testing.assert_close(mirrored, 1 - area_under_roc(predictions, present))


def test_the_best_and_the_worst_order() -> None:
    present = torch.tensor([[True], [True], [False], [False]])
    best, worst = torch.tensor([[4.0], [3.0], [2.0], [1.0]]), torch.tensor([[1.0], [2.0], [3.0], [4.0]])
    assert average_precision(best, present).item() == area_under_roc(best, present).item() == 1.0
    assert area_under_roc(worst, present).item() == 0.0
    assert average_precision(worst, present).item() == pytest.approx((1 / 3 + 2 / 4) / 2)


@pytest.mark.parametrize("weighted", [False, True])
def test_r_squared_is_that_over_samples(weighted: bool, generator: torch.Generator) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    table = torch.rand(5, 3, generator=generator, dtype=torch.float64)
    labels = torch.tensor([0, 0, 0, 1, 3, 3, 4, 4, 4, 4])
    predictions = table[labels] + 0.3 * torch.randn(10, 3, generator=generator, dtype=torch.float64)
    matrix, classes = class_error_matrix((predictions - table[labels]).square(), labels)
    count = torch.bincount(labels)[classes].double()
    found = attribute_r_squared(matrix, table[classes], count if weighted else None)
    weights = np.ones(10) if weighted else 1 / torch.bincount(labels)[labels].double().numpy()
    expected = [measures.r_squared(predictions[:, s].numpy(), table[labels, s].numpy(), weights) for s in range(3)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    other = metrics.r2_score(table[labels], predictions, sample_weight=weights, multioutput="raw_values")
    np.testing.assert_allclose(found, other, rtol=1e-12)


def test_r_squared_of_the_mean_is_zero_and_that_of_a_constant_attribute_unknown() -> None:
    table = torch.tensor([[0.0, 1.0], [1.0, 1.0], [0.5, 1.0]])
    errors = (table - table.mean(dim=0)).square()
    found = attribute_r_squared(errors, table)
    assert found[0].item() == pytest.approx(0.0)
    assert math.isnan(found[1])
    assert attribute_r_squared(torch.zeros(3, 2), table)[0].item() == 1.0


@pytest.mark.parametrize(
    ("table", "present"),
    [
        ([[0, 1], [1, 0], [1, 1]], [[0, 1], [1, 0], [1, 1]]),
        ([[-1, 1], [1, -1]], [[0, 1], [1, 0]]),
        ([[0, 1], [0.70711, 0.70711]], [[0, 1], [1, 1]]),  # rows of length 1
        ([[0, 100], [100, 100]], [[0, 1], [1, 1]]),
        ([[0.6, 0.6], [1, 1]], [[0, 0], [1, 1]]),  # two values at all
        ([[0.1, 0.5], [0.9, 0.5]], None),
        ([[0.5, 1], [1, 0.25]], None),
        ([[1, 1], [1, 1]], None),
        ([[-1, 0], [0, 1]], None),
    ],
)
def test_binary_tables(table: list[list[float]], present: list[list[int]] | None) -> None:
    found = binary_attributes(torch.tensor(table, dtype=torch.float32))
    assert (found.int().tolist() if found is not None else None) == present


def test_attributes_of_another_shape_are_one_line(unchecked: None) -> None:
    with pytest.raises(ArgumentError, match=r"present: expected shape \[N, S\] with N = 3, S = 2 as in predictions"):
        average_precision(torch.rand(3, 2), torch.ones(3, 1, dtype=torch.bool))
