import math
import pickle

import pytest
import torch
from torchmetrics import Metric

from rezsl.errors import ArgumentError
from rezsl.evaluation import GZSLEvaluator
from rezsl.functional import class_scores, seen_unseen_curve
from rezsl.metrics import ClassError, SeenUnseen
from rezsl.semantics import ClassSemantics
from tests.functional.test_curves import make_case
from tests.oracles import remse, scoring


def test_a_streamed_curve_equals_the_whole_one_in_any_order() -> None:
    case = make_case(0, 4, 3, (40, 30), 0.25)
    whole = seen_unseen_curve(**case)
    scores = torch.cat([case["seen_scores"], case["unseen_scores"]])
    labels = torch.cat([case["seen_labels"], case["unseen_labels"]])
    order = torch.randperm(70, generator=torch.Generator().manual_seed(0))
    metric = SeenUnseen(case["is_seen"])
    for part in order.split(9):
        metric.update(scores[part], labels[part])
    streamed = metric.compute()
    for ours, theirs in zip(streamed, whole, strict=True):
        torch.testing.assert_close(ours, theirs)
    point = whole.best()
    accuracy = metric.class_accuracies(point.gamma)
    assert accuracy[case["is_seen"]].nanmean().item() == pytest.approx(point.seen)
    assert accuracy[~case["is_seen"]].nanmean().item() == pytest.approx(point.unseen)


def test_a_side_without_samples_is_undefined() -> None:
    case = make_case(0, 4, 3, (40, 30), 0.25)
    metric = SeenUnseen(case["is_seen"])
    metric.update(torch.empty(0, 7), torch.empty(0, dtype=torch.int64))
    with pytest.raises(ArgumentError, match="expected samples of seen and of unseen classes, got none"):
        metric.compute()
    metric.reset()
    metric.update(case["unseen_scores"], case["unseen_labels"])
    one_sided, whole = metric.compute(), seen_unseen_curve(**case)
    assert one_sided.at(0.1).unseen == whole.at(0.1).unseen
    for undefined in (one_sided.ausuc, one_sided.at(0.1).harmonic_mean, *one_sided.best()):
        assert math.isnan(undefined)


def test_a_sample_costs_a_few_bytes() -> None:
    metric = SeenUnseen(torch.arange(200) < 150)
    metric.update(torch.randn(1000, 200), torch.randint(200, (1000,)))
    states = [state for name in ("margin", "right", "label") for state in getattr(metric, name)]
    assert sum(state.numel() * state.element_size() for state in states) == 13 * 1000


def test_without_bound_on_gamma_the_accuracies_of_unseen_classes_are_those_among_unseen_classes() -> None:
    predicted, target = torch.tensor([0, 5, 1, 1]), torch.tensor([0, 0, 1, 2])
    metric = SeenUnseen(torch.arange(7) == 6)
    scores = torch.nn.functional.one_hot(predicted, 7).float() + 2 * metric.is_seen  # the seen class is always the best
    metric.update(scores[:2], target[:2])
    metric.update(scores[2:], target[2:])
    accuracies = metric.class_accuracies(math.inf)
    assert accuracies.isnan().tolist() == [False, False, False, True, True, True, True]
    expected = scoring.mean_class_accuracy(predicted.numpy(), target.numpy())
    assert accuracies.nanmean().item() == pytest.approx(expected)


def test_class_error_streams_the_matrix() -> None:
    errors, labels = torch.rand(11, 3, dtype=torch.float64), torch.tensor([4, 0, 4, 4, 1, 0, 1, 1, 4, 0, 0])
    metric = ClassError(6, 3)
    for part in torch.arange(11).split(4):
        metric.update(errors[part], labels[part])
    matrix = metric.compute()
    expected, classes = remse.class_error_matrix(errors.numpy(), labels.numpy())
    torch.testing.assert_close(matrix[classes], torch.from_numpy(expected))
    assert matrix.isnan().all(dim=1).tolist() == [row not in classes for row in range(6)]
    metric.reset()
    assert int(metric.count.sum()) == 0


def test_a_table_of_one_class_and_one_attribute_is_evaluated() -> None:
    table = ClassSemantics(("a",), ("x",), torch.ones(1, 1))
    evaluator = GZSLEvaluator(table, ("a",), [], class_scores)
    for again in (evaluator, pickle.loads(pickle.dumps(evaluator))):
        again.update(torch.ones(2, 1), torch.tensor([0, 0]))
        result = again.result()
        assert (result.error_matrix.tolist(), result.classes, result.t1) == ([[0.0]], ("a",), 1.0)


def gathered(mine: Metric, others: Metric) -> None:
    """Let a metric believe that there is a second process, which holds the other one."""
    states = [getattr(others, name) for name in others.metric_state]
    whole = iter([torch.cat(state) if isinstance(state, list) else state for state in states])
    mine.distributed_available_fn = lambda: True
    mine.dist_sync_fn = lambda state, group: [state, next(whole)]


@pytest.mark.parametrize("gamma", [0.1, math.inf])
def test_accuracies_of_classes_are_those_of_all_processes(gamma: float, generator: torch.Generator) -> None:
    whole, mine, others = (SeenUnseen(torch.tensor([True, True, False, False])) for _ in range(3))
    labels = torch.arange(60) % 4
    scores = torch.randn(60, 4, generator=generator) + torch.eye(4)[labels]
    whole.update(scores, labels)
    mine.update(scores[:23], labels[:23])
    others.update(scores[23:], labels[23:])
    alone = mine.class_accuracies(gamma)
    gathered(mine, others)
    torch.testing.assert_close(mine.class_accuracies(gamma), whole.class_accuracies(gamma), rtol=0, atol=0)
    mine.distributed_available_fn = lambda: False
    torch.testing.assert_close(mine.class_accuracies(gamma), alone, rtol=0, atol=0)  # its own state is as it was


@pytest.mark.parametrize("seen", [True, False])
def test_candidates_of_one_side_win_at_every_gamma(seen: bool) -> None:
    metric = SeenUnseen(torch.full((3,), seen))
    metric.update(torch.tensor([[3.0, 1.0, 0.0], [0.0, 1.0, 2.0]]), torch.tensor([0, 1]))
    for gamma in (-100.0, 0.0, 100.0):
        point = metric.compute().at(gamma)
        assert (point.seen if seen else point.unseen) == 0.5
        assert math.isnan(point.unseen if seen else point.seen)
        assert metric.class_accuracies(gamma)[:2].tolist() == [1.0, 0.0]
