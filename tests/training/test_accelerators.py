"""A training step stays on its device, and never waits for it, shown without a GPU by tensors without numbers.

Tensors of the device ``meta`` have a shape and no numbers. An operation that mixes them with tensors of the CPU, and
one that reads a number, as ``.item()`` and ``if tensor:`` do, fails there as it would fail, or wait, on a GPU.
"""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from inspect import isabstract
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from rezsl import metrics
from rezsl.data import load_synthetic
from rezsl.functional.scoring import _best_by_masks, _best_of_both, seen_unseen_margins
from rezsl.losses import (
    LOSSES,
    ClassificationLoss,
    InverseFrequencyLoss,
    MSELoss,
    Objective,
    RegressionLoss,
    ReMSELoss,
    RRTLoss,
)
from rezsl.models import MODELS, CLIPZeroShot, ClosedForm, HasOwnTraining, MLPRegressor, SemanticModel
from rezsl.semantics import ClassSemantics
from rezsl.training import Batches, Training
from rezsl.training._assembly import new_classifier
from rezsl.training._step import TrainingStep

BATCH, CLASSES, ATTRIBUTES, DIM = 6, 5, 7, 9
TABLE = torch.rand(CLASSES, ATTRIBUTES, generator=torch.Generator().manual_seed(0)) + 0.1
aten = torch.ops.aten


class OnDevice(TorchDispatchMode):
    """Refuses every operation that makes a tensor of numbers on the CPU."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is aten._unique2.default:
            # How many classes a batch has is known on the device alone; PyTorch waits for it, here it is all samples.
            (labels,) = args[:1]
            return tuple(labels.new_empty(len(labels)) for _ in range(3))
        result = func(*args, **(kwargs or {}))
        made = [one for one in tree_leaves(result) if isinstance(one, Tensor) and one.device.type == "cpu" and one.ndim]
        assert not made, f"{func} makes a tensor of shape {tuple(made[0].shape)} on the CPU"
        return result


def losses(base: type) -> list[Any]:
    found = [
        kind for kind in LOSSES.values() if issubclass(kind, base) and not isabstract(kind) and kind is not RRTLoss
    ]
    return [pytest.param(kind, id=kind.__name__) for kind in found]


def retraining(epoch: int) -> RRTLoss:
    loss = RRTLoss(ReMSELoss(), InverseFrequencyLoss())
    loss.start_epoch(epoch, 10)
    return loss


RETRAINING = [pytest.param(partial(retraining, epoch), id=f"RRTLoss, epoch {epoch}") for epoch in (0, 9)]


@pytest.mark.parametrize("kind", [*losses(RegressionLoss), *RETRAINING])
def test_regression_losses_stay_on_the_device(kind: Callable[[], RegressionLoss]) -> None:
    loss = kind()
    loss.prepare(TABLE, torch.full((CLASSES,), 3))
    loss.to("meta")
    with torch.device("meta"), OnDevice():
        prediction = torch.empty(BATCH, ATTRIBUTES, requires_grad=True)
        value = loss(prediction, torch.empty(BATCH, ATTRIBUTES), torch.empty(BATCH, dtype=torch.int64))
        value.backward()
    assert (value.device.type, value.shape) == ("meta", ())
    assert prediction.grad is not None
    assert prediction.grad.device.type == "meta"


@pytest.mark.parametrize("kind", losses(ClassificationLoss))
def test_classification_losses_stay_on_the_device(kind: Callable[[], ClassificationLoss]) -> None:
    loss = kind()
    loss.prepare(TABLE)
    loss.to("meta")
    with torch.device("meta"), OnDevice():
        scores = torch.empty(BATCH, CLASSES, requires_grad=True)
        value = loss(scores, torch.empty(BATCH, dtype=torch.int64))
        value.backward()
    assert value.device.type == "meta"


def trained() -> list[Any]:
    own = [kind for kind in MODELS.values() if not issubclass(kind, ClosedForm | HasOwnTraining)]
    return [pytest.param(kind, id=kind.__name__) for kind in own if kind.__name__ != "PromptModel"]


@pytest.mark.parametrize("kind", trained())
def test_a_step_of_every_model_stays_on_the_device(kind: type[SemanticModel], monkeypatch: pytest.MonkeyPatch) -> None:
    names = [tuple(map(str, range(count))) for count in TABLE.shape]
    model = kind(DIM, ClassSemantics(names[0], names[1], TABLE)).train()
    model.prepare(TABLE)
    objective = Objective(TABLE, ReMSELoss() if model.predicts_attributes else None, score=_scored(model))
    model.to("meta"), objective.to("meta")
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # it does not know the device meta
    with torch.device("meta"), OnDevice():
        target = torch.empty(BATCH, ATTRIBUTES)
        output = model.training_forward(torch.empty(BATCH, 4, DIM), target)
        labels = torch.empty(BATCH, dtype=torch.int64)
        total = objective(output.prediction, labels, output.penalty).total
        total.backward()
    assert {part.grad.device.type for part in model.parameters() if part.grad is not None} == {"meta"}


def _scored(model: SemanticModel) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda outputs, vectors: model.class_scores(outputs, vectors, 20.0)


def test_the_texts_of_clip_are_scored_on_the_device() -> None:
    names = [
        tuple(f"{kind} {number}" for number in range(count)) for kind, count in zip("ca", TABLE.shape, strict=True)
    ]
    table = ClassSemantics(names[0], names[1], TABLE)
    model = CLIPZeroShot(DIM, table).eval().to("meta")
    vectors = model.class_vectors(table)
    with torch.device("meta"), OnDevice():
        scores = model.class_scores(model(torch.empty(BATCH, 1, DIM)), vectors, 20.0)
    assert (scores.device.type, scores.shape) == ("meta", (BATCH, CLASSES))


@pytest.mark.parametrize("mixup", [0.0, 0.5])
@pytest.mark.parametrize("micro", [0, 2])
def test_a_training_step_stays_on_the_device(mixup: float, micro: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load_synthetic(classes=8, attributes=ATTRIBUTES, samples=64, dim=DIM, unseen=2, validation=2)
    training = Training(mixup=mixup, batches=Batches(micro=micro), accelerator="cpu")
    classifier = new_classifier(data, data.split.train, partial(MLPRegressor, hidden_dim=4), None, training)
    step = TrainingStep(classifier, data, data.split.train, training).train().to("meta")
    # The share of a mixture is drawn on the CPU, as a number.
    step.mixing = SimpleNamespace(sample=lambda: 0.3) if mixup else None  # type: ignore[assignment]
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    with torch.device("meta"), OnDevice():
        terms = step(torch.empty(BATCH, DIM), torch.empty(BATCH, dtype=torch.int64))
        terms.total.backward()
    assert {term.device.type for term in terms} == {"meta"}
    assert {part.grad.device.type for part in step.parameters() if part.grad is not None} == {"meta"}


IS_SEEN = torch.tensor([True, False, True, True, False])
STREAMS: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "ClassError": (partial(metrics.ClassError, CLASSES, ATTRIBUTES), ("attributes", "labels")),
    "SeenUnseen": (partial(metrics.SeenUnseen, IS_SEEN), ("scores", "labels")),
    "SeenUnseen, one side": (partial(metrics.SeenUnseen, torch.ones(CLASSES).bool()), ("scores", "labels")),
    "AttributeRanking": (partial(metrics.AttributeRanking, (TABLE > 0.6).float()), ("attributes", "labels")),
    "AttributeRSquared": (partial(metrics.AttributeRSquared, TABLE), ("attributes", "labels")),
    "TopKAccuracy": (partial(metrics.TopKAccuracy, IS_SEEN, 2), ("scores", "labels")),
    "ClassF1": (partial(metrics.ClassF1, IS_SEEN, 0.3), ("scores", "labels")),
    "HierarchyError": (partial(metrics.HierarchyError, torch.arange(CLASSES).unsqueeze(1) // 2), ("labels", "labels")),
}


@pytest.mark.parametrize("name", STREAMS)
def test_batches_are_added_to_metrics_on_the_device(name: str) -> None:
    build, arguments = STREAMS[name]
    metric = build().to("meta")
    with torch.device("meta"), OnDevice():
        given = {
            "scores": torch.empty(BATCH, CLASSES),
            "attributes": torch.empty(BATCH, ATTRIBUTES),
            "labels": torch.empty(BATCH, dtype=torch.int64),
        }
        metric.update(*(given[argument] for argument in arguments))
    states = tree_leaves([getattr(metric, state) for state in metric._defaults])
    assert {state.device.type for state in states} == {"meta"}


@pytest.mark.parametrize("is_seen", [IS_SEEN, torch.ones(CLASSES).bool(), torch.zeros(CLASSES).bool()])
def test_an_accelerator_finds_the_best_classes_that_a_cpu_finds(is_seen: Tensor) -> None:
    # Rounded scores are often equal, and then the first class counts.
    scores = (torch.randn(200, CLASSES, generator=torch.Generator().manual_seed(0)) * 2).round()
    for found, expected in zip(_best_by_masks(scores, is_seen), _best_of_both(scores, is_seen), strict=True):
        assert torch.equal(found, expected)
    labels = torch.arange(200) % CLASSES
    seen, seen_class, unseen, unseen_class = _best_by_masks(scores, is_seen)
    margin, right = seen_unseen_margins(scores, labels, is_seen)
    assert torch.equal(margin, (seen - unseen).double())
    assert torch.equal(right, torch.where(is_seen[labels], seen_class, unseen_class) == labels)


def test_what_would_wait_or_mix_devices_is_found() -> None:
    class Waits(MSELoss):
        def forward(self, prediction: Tensor, target: Tensor, labels: Tensor) -> Tensor:
            return prediction.sum() * prediction.mean().item()

    class Mixes(MSELoss):
        def forward(self, prediction: Tensor, target: Tensor, labels: Tensor) -> Tensor:
            return (prediction * torch.ones(ATTRIBUTES, device="cpu")).sum()

    for kind in (Waits, Mixes):
        with pytest.raises((RuntimeError, AssertionError)):
            test_regression_losses_stay_on_the_device(kind)
        del LOSSES[kind.__name__]
