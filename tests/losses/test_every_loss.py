"""What every regression loss must do, whatever its formula."""

import inspect
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

import pytest
import torch

from rezsl import losses
from rezsl.errors import ArgumentError
from rezsl.losses import (
    BMCLoss,
    BNILoss,
    FocalRLoss,
    GAILoss,
    InverseFrequencyLoss,
    LDSLoss,
    MSELoss,
    RegressionLoss,
    ReMSELoss,
    RRTLoss,
)
from rezsl.records import import_modules
from tests.losses.batches import Problem

KINDS = [
    kind
    for name, kind in losses.LOSSES.items()
    if name in losses.__all__ and issubclass(kind, RegressionLoss) and not inspect.isabstract(kind)
]
"""Every regression loss of the package."""

ARGUMENTS: dict[type, dict[str, Any]] = {RRTLoss: {"first": MSELoss(), "second": LDSLoss()}}
"""Arguments of losses that have some without a default."""

LOSSES: list[Callable[[], RegressionLoss]] = [
    *(partial(kind, **ARGUMENTS.get(kind, {})) for kind in KINDS),
    *(partial(kind, normalize=False) for kind in KINDS if "normalize" in inspect.signature(kind).parameters),
    partial(ReMSELoss, memory="ema", error="root"),
    partial(FocalRLoss, gamma=0.3, activation="tanh", error="absolute", normalize=False),
    partial(InverseFrequencyLoss, square_root=True, error="absolute", normalize=False),
    partial(LDSLoss, kernel="laplace", normalize=False),
    partial(BMCLoss, noise=2.0, normalize=False),
    partial(BNILoss, bins=3, normalize=False),
    partial(GAILoss, components=2, normalize=False),
]
each_loss = pytest.mark.parametrize("new", LOSSES, ids=lambda new: repr(new()).replace("\n", "").replace(" ", ""))


def test_every_public_module_is_found_and_every_argument_is_described() -> None:
    modules = {module.__name__ for module in import_modules("rezsl.losses")}
    public = {name: kind for name, kind in losses.LOSSES.items() if name in losses.__all__}
    assert modules <= {kind.__module__ for kind in public.values()}
    for name, kind in public.items():
        assert getattr(losses, name) is kind
        for argument in inspect.signature(kind).parameters:
            assert any(f" {argument}: " in (base.__doc__ or "") for base in kind.__mro__), (name, argument)


def test_a_loss_registers_itself_and_prints_its_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rezsl.losses._loss.LOSSES", registry := dict[str, type]())

    class PowerLoss(RegressionLoss):
        """Mean of powers of the absolute errors."""

        def __init__(self, power: float = 3.0, kind: str = "mean", normalize: bool = True) -> None:
            super().__init__(normalize)
            self.power, self.kind = power, kind

        def forward(self, prediction: torch.Tensor, target: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            return self.differences(prediction, target).abs().pow(self.power).mean()

    assert registry == {"PowerLoss": PowerLoss}
    assert str(PowerLoss(2.0)) == "PowerLoss(power=2.0, kind='mean', normalize=True)"
    assert "(first): PowerLoss(power=3.0" in str(RRTLoss(PowerLoss(), MSELoss()))


@each_loss
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_lower_precision_agrees_with_double(new: Callable[[], RegressionLoss], dtype: torch.dtype) -> None:
    problem = Problem()
    problem.table = problem.table.to(dtype).double()
    prediction, target = problem.prediction.to(dtype), problem.target.to(dtype)
    low, exact = problem.prepared(new()), problem.prepared(new()).double()
    value = low(prediction, target, problem.labels)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(exact(prediction.double(), target.double(), problem.labels).item(), rel=1e-4)


@each_loss
@pytest.mark.parametrize("magnitude", [0.0, 1e-30, 1e-15, 1.0, 1e15])
@pytest.mark.parametrize(("size", "classes"), [(1, 1), (1, 3), (6, 1), (6, 3)])
def test_finite_at_every_magnitude(
    new: Callable[[], RegressionLoss], magnitude: float, size: int, classes: int
) -> None:
    """Differences from 0 to 1e15, batches of one sample, of one class, without any error."""
    generator = torch.Generator().manual_seed(1)
    table = torch.rand(classes, 4, generator=generator)
    labels = torch.arange(size) % classes
    loss = new()
    loss.prepare(table, torch.arange(1, classes + 1))
    prediction = (table[labels] + magnitude * torch.ones(size, 4)).requires_grad_()
    value = loss(prediction, table[labels], labels)
    value.backward()
    assert prediction.grad is not None
    assert bool(value.isfinite())
    assert bool(prediction.grad.isfinite().all())
    for name, parameter in loss.named_parameters():
        assert parameter.grad is None or bool(parameter.grad.isfinite().all()), name


@each_loss
def test_rows_of_zeros_and_constant_semantics_are_finite(new: Callable[[], RegressionLoss]) -> None:
    loss = new()
    loss.prepare(torch.zeros(2, 3), torch.tensor([2, 2]))
    prediction = torch.zeros(4, 3, requires_grad=True)
    value = loss(prediction, torch.zeros(4, 3), torch.tensor([0, 0, 1, 1]))
    value.backward()
    assert bool(value.isfinite())
    assert prediction.grad is not None
    assert bool(prediction.grad.isfinite().all())


@each_loss
def test_state_survives_a_state_dict_and_a_copy(new: Callable[[], RegressionLoss]) -> None:
    first, second = Problem(0), Problem(1)
    second.table, second.counts = first.table, first.counts
    before, after = first.prepared(new()), first.prepared(new())
    with torch.no_grad():
        for parameter in before.parameters():
            parameter.mul_(0.7).add_(0.1)
    before(first.prediction, first.target, first.labels)
    after.load_state_dict(before.state_dict())
    copied = deepcopy(before)
    value = before(second.prediction, second.target, second.labels)
    torch.testing.assert_close(after(second.prediction, second.target, second.labels), value, rtol=0, atol=0)
    torch.testing.assert_close(copied(second.prediction, second.target, second.labels), value, rtol=0, atol=0)


@each_loss
def test_every_option_is_in_what_settings_record(new: Callable[[], RegressionLoss]) -> None:
    loss = new()
    for name in inspect.signature(type(loss)).parameters:
        assert f"{name}=" in str(loss) or f"({name})" in str(loss), name
    assert str(loss) == str(Problem().prepared(new()))


@each_loss
def test_an_empty_batch_is_refused(new: Callable[[], RegressionLoss]) -> None:
    loss = Problem().prepared(new())
    with pytest.raises(ArgumentError, match="prediction: expected at least one sample"):
        loss(torch.empty(0, 4), torch.empty(0, 4), torch.empty(0, dtype=torch.int64))
