import itertools
from typing import Any, get_args

import numpy as np
import pytest
import torch

from rezsl.errors import ArgumentError
from rezsl.losses import MSELoss, RegressionLoss, ReMSELoss
from rezsl.losses.remse import ErrorKind, Memory, WeightSource
from tests.oracles import remse as oracle

OPTIONS = list(
    itertools.product(get_args(Memory), (True, False), (True, False), get_args(ErrorKind), get_args(WeightSource))
)
EXTREMES = [ReMSELoss(normalize=normalize, error=error) for normalize in (True, False) for error in get_args(ErrorKind)]


def batch(
    seed: int, size: int = 8, semantics: int = 5, classes: int = 4
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    prediction = torch.randn(size, semantics, generator=generator, dtype=torch.float64)
    table = torch.rand(classes, semantics, generator=generator, dtype=torch.float64)
    labels = torch.randint(classes, (size,), generator=generator)
    return prediction, table[labels], labels


@pytest.mark.parametrize(("memory", "normalize", "unit_mean", "error", "weights_from"), OPTIONS)
def test_value_and_gradient_match_the_literal_loops(
    memory: Memory, normalize: bool, unit_mean: bool, error: ErrorKind, weights_from: WeightSource
) -> None:
    options: dict[str, Any] = {"memory": memory, "normalize": normalize, "unit_mean": unit_mean, "error": error}
    options |= {"decay": 0.8, "weights_from": weights_from}
    loss = ReMSELoss(1.0, 0.75, **options)
    literal = oracle.ReMSE(class_power=1.0, semantic_power=0.75, **options)
    for seed in range(4):  # the memories only matter from the second batch on
        prediction, target, labels = batch(seed, size=3 + 2 * seed)
        prediction.requires_grad_()
        value = loss(prediction, target, labels)
        value.backward()
        expected, gradient = literal(prediction.detach().numpy(), target.numpy(), labels.numpy())
        assert value.item() == pytest.approx(expected, rel=1e-10)
        assert prediction.grad is not None
        np.testing.assert_allclose(prediction.grad.numpy(), gradient, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("normalize", [True, False])
def test_without_powers_it_is_mse(normalize: bool) -> None:
    arguments = batch(0)
    torch.testing.assert_close(ReMSELoss(0.0, 0.0, normalize)(*arguments), MSELoss(normalize)(*arguments))


@pytest.mark.parametrize("loss", [MSELoss(), ReMSELoss(), ReMSELoss(error="absolute"), ReMSELoss(error="root")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_lower_precision_agrees_with_double(loss: RegressionLoss, dtype: torch.dtype) -> None:
    prediction, target, labels = batch(0)
    value = loss(prediction.to(dtype), target.to(dtype), labels)
    exact = loss(prediction.to(dtype).double(), target.to(dtype).double(), labels)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(exact.item(), rel=1e-5)


@pytest.mark.parametrize("loss", EXTREMES)
@pytest.mark.parametrize("magnitude", [0.0, 1e-30, 1e-15, 1.0, 1e15])
@pytest.mark.parametrize(("size", "classes"), [(1, 1), (6, 1), (6, 3)])
def test_finite_at_every_magnitude(loss: ReMSELoss, magnitude: float, size: int, classes: int) -> None:
    """Differences from 0 to 1e15: squared errors up to 1e30; batches of one sample, of one class, without any error."""
    labels = torch.arange(size) % classes
    target = torch.randn(size, 4, generator=torch.Generator().manual_seed(1))
    prediction = (target + magnitude * torch.ones_like(target)).requires_grad_()
    value = loss(prediction, target, labels)
    value.backward()
    assert prediction.grad is not None
    assert bool(value.isfinite())
    assert bool(prediction.grad.isfinite().all())


@pytest.mark.parametrize("loss", EXTREMES)
def test_identical_predictions_and_rows_of_zeros_are_finite(loss: ReMSELoss) -> None:
    prediction = torch.zeros(4, 3, requires_grad=True)
    value = loss(prediction, torch.zeros(4, 3), torch.tensor([0, 0, 1, 1]))
    value.backward()
    assert value.item() == pytest.approx(1e-5 if loss.error == "cell_root" else 0)
    assert prediction.grad is not None
    assert bool(prediction.grad.isfinite().all())


def test_unit_mean_weights_have_mean_one() -> None:
    prediction, target, labels = batch(0)
    loss = ReMSELoss(2.0, 1.0, unit_mean=True)
    weights = loss.weights(loss.differences(prediction, target).square(), labels)
    assert weights.mean().item() == pytest.approx(1.0)


@pytest.mark.parametrize("memory", ["running", "ema"])
def test_the_memory_survives_a_state_dict(memory: Memory) -> None:
    before, after = ReMSELoss(memory=memory), ReMSELoss(memory=memory)
    before(*batch(0))
    after.load_state_dict(before.state_dict())
    torch.testing.assert_close(after(*batch(1)), before(*batch(1)))


def test_the_paper_form_has_no_state() -> None:
    assert not ReMSELoss().state_dict()


def test_evaluation_looks_at_the_memory_but_leaves_it() -> None:
    loss = ReMSELoss(memory="running")
    loss(*batch(0))
    kept = loss.error_memory.clone()
    loss.eval()
    assert loss(*batch(1)).item() == pytest.approx(loss(*batch(1)).item())
    torch.testing.assert_close(loss.error_memory, kept, equal_nan=True)


def test_a_changed_number_of_semantics_is_refused() -> None:
    loss = ReMSELoss(memory="running")
    loss(*batch(0, semantics=5))
    with pytest.raises(ArgumentError, match="expected 5 attributes as before, got 6"):
        loss(*batch(0, semantics=6))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"class_power": -1.0}, "class_power: expected a finite number of at least 0, got -1.0"),
        ({"memory": "epoch"}, "memory: expected one of batch, running, ema, got 'epoch'"),
        ({"error": "cubed"}, "error: expected one of squared, absolute, root, cell_root, got 'cubed'"),
        ({"weights_from": "roots"}, "weights_from: expected one of squared, error, got 'roots'"),
        ({"memory": "ema", "decay": 1.0}, r"decay: expected a number in \[0, 1\), got 1.0"),
    ],
)
def test_an_option_out_of_range_is_named(options: dict[str, object], message: str, unchecked: None) -> None:
    with pytest.raises(ArgumentError, match=message):
        ReMSELoss(**options)  # type: ignore[arg-type]
