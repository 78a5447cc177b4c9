"""A training step stays on its device, and never waits for it, shown without a GPU by tensors without numbers.

Tensors of the device ``meta`` have a shape and no numbers. An operation that mixes them with tensors of the CPU, and
one that reads a number, as ``.item()`` and ``if tensor:`` do, fails there as it would fail, or wait, on a GPU.
"""

from collections.abc import Callable
from contextlib import nullcontext
from inspect import isabstract
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from rezsl.losses import LOSSES, ClassificationLoss, MSELoss, Objective, RegressionLoss, ReMSELoss, RRTLoss
from rezsl.models import MODELS, ClosedForm, HasOwnTraining, SemanticModel
from rezsl.semantics import ClassSemantics

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


@pytest.mark.parametrize("kind", losses(RegressionLoss))
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
