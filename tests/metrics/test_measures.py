"""The classes of torchmetrics for measures that other fields expect equal the functions, batch by batch."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection

from rezsl.errors import ArgumentError
from rezsl.functional.scoring import l2_normalize
from rezsl.metrics import AttributeRanking, AttributeRSquared, ClassF1, HierarchyError, TopKAccuracy
from tests.metrics.test_metrics import gathered
from tests.oracles import measures, scoring

IS_SEEN = torch.tensor([True, True, True, False, False, False])
LABELS = torch.arange(60) % 5  # the last class has no samples


def case() -> tuple[Tensor, Tensor, Tensor]:
    """A binary table ``[6, 4]``, predictions of its rows ``[60, 4]`` and scores ``[60, 6]``."""
    generator = torch.Generator().manual_seed(4)
    table = (torch.rand(6, 4, generator=generator) < 0.5).double() + torch.eye(6, 4).double() > 0
    values = table.double()
    predictions = values[LABELS] + 0.6 * torch.randn(60, 4, generator=generator, dtype=torch.float64)
    scores = torch.randn(60, 6, generator=generator) + torch.eye(6)[LABELS] + 0.5 * IS_SEEN
    return values, predictions, scores


def streamed(metric: Metric, first: Tensor, labels: Tensor = LABELS) -> Metric:
    for rows in torch.arange(len(labels)).split(13):
        metric.update(first[rows], labels[rows])
    return metric


@pytest.mark.parametrize("normalize", [True, False])
def test_attributes_are_ranked_over_all_batches(normalize: bool) -> None:
    table, predictions, _ = case()
    found = streamed(AttributeRanking(table, normalize), predictions).compute()
    compared = l2_normalize(predictions) if normalize else predictions
    for column in range(4):
        values, has = compared[:, column].numpy(), table[LABELS, column].bool().numpy()
        assert float(found["average_precision"][column]) == pytest.approx(measures.average_precision(values, has))
        assert float(found["area_under_roc"][column]) == pytest.approx(measures.area_under_roc(values, has))


def test_a_table_of_degrees_has_no_ranking() -> None:
    with pytest.raises(ArgumentError, match="class_semantics: expected a binary table, in which each class has"):
        AttributeRanking(torch.tensor([[0.2, 0.7], [0.1, 1.0]]))


@pytest.mark.parametrize("over_samples", [True, False])
def test_r_squared_of_all_batches(over_samples: bool) -> None:
    table, predictions, _ = case()
    labels = LABELS.clamp(max=3)  # classes of different sizes
    found = streamed(
        AttributeRSquared(table, normalize=False, over_samples=over_samples), predictions, labels
    ).compute()
    weights = torch.ones(60) if over_samples else 1 / torch.bincount(labels)[labels]
    for column in range(4):
        truth = table[labels, column]
        expected = measures.r_squared(predictions[:, column].numpy(), truth.numpy(), weights.double().numpy())
        assert float(found[column]) == pytest.approx(expected)
    with_rows_of_length_1 = streamed(AttributeRSquared(table), predictions, labels).compute()
    by_hand = streamed(AttributeRSquared(l2_normalize(table), normalize=False), l2_normalize(predictions), labels)
    torch.testing.assert_close(with_rows_of_length_1, by_hand.compute())


@pytest.mark.parametrize("gamma", [0.0, 0.7])
def test_choices_are_measured_at_gamma(gamma: float) -> None:
    _, _, scores = case()
    calibrated = (scores.double() - gamma * IS_SEEN).numpy()
    found = streamed(TopKAccuracy(IS_SEEN, 2, gamma), scores).compute()
    rates = scoring.class_hit_rates(measures.top_k_hits(calibrated, LABELS.numpy(), 2), LABELS.numpy())
    seen, unseen = sum(rates[c] for c in (0, 1, 2)) / 3, sum(rates[c] for c in (3, 4)) / 2
    assert [float(found[name]) for name in ("seen", "unseen")] == pytest.approx([seen, unseen])
    assert float(found["harmonic_mean"]) == pytest.approx(2 * seen * unseen / (seen + unseen))
    f1 = streamed(ClassF1(IS_SEEN, gamma), scores).compute()
    chosen = calibrated.argmax(axis=1)
    assert f1[:5].tolist() == pytest.approx([measures.f1(chosen, LABELS.numpy(), column) for column in range(5)])
    assert math.isnan(f1[5])


def test_without_unseen_classes_the_seen_side_is_left() -> None:
    _, _, scores = case()
    found = streamed(TopKAccuracy(torch.ones(6, dtype=torch.bool), 6), scores).compute()
    assert (float(found["seen"]), math.isnan(found["unseen"])) == (1.0, True)


def test_mistakes_within_a_group_cost_less() -> None:
    groups = torch.tensor([[0, 0], [0, 0], [0, 1], [1, 2], [1, 2], [1, 3]])
    chosen = (LABELS + torch.arange(60) // 30) % 6
    found = streamed(HierarchyError(groups), chosen).compute()
    paths = [[*groups[place].tolist(), place] for place in range(6)]
    costs = [measures.tree_distance(paths[c], paths[y]) for c, y in zip(chosen.tolist(), LABELS.tolist(), strict=True)]
    assert float(found) == pytest.approx(sum(costs) / 60)  # as many samples of each class


@pytest.mark.parametrize("name", ["ranking", "r_squared", "top", "f1", "hierarchy"])
def test_two_processes_measure_what_one_does(name: str) -> None:
    table, predictions, scores = case()
    chosen = scores.argmax(dim=1)
    made: dict[str, tuple[Callable[[], Metric], Tensor]] = {
        "ranking": (lambda: AttributeRanking(table), predictions),
        "r_squared": (lambda: AttributeRSquared(table), predictions),
        "top": (lambda: TopKAccuracy(IS_SEEN, 2), scores),
        "f1": (lambda: ClassF1(IS_SEEN), scores),
        "hierarchy": (lambda: HierarchyError(torch.tensor([[0], [0], [0], [1], [1], [1]])), chosen),
    }
    make, first = made[name]
    whole, mine, others = make(), make(), make()
    whole.update(first, LABELS)
    mine.update(first[:17], LABELS[:17])
    others.update(first[17:], LABELS[17:])
    gathered(mine, others)
    expected = whole.compute()
    torch.testing.assert_close(mine.compute(), expected, equal_nan=True)


def test_they_are_collected_with_metrics_of_torchmetrics() -> None:
    _, _, scores = case()
    both = MetricCollection({"top": TopKAccuracy(IS_SEEN, 2), "f1": ClassF1(IS_SEEN)})
    both.update(scores, LABELS)
    assert set(both.compute()) == {"seen", "unseen", "harmonic_mean", "f1"}
