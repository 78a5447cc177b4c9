"""Half precision and deterministic algorithms train what float32 trains."""

from collections.abc import Iterator
from functools import partial

import pytest
import torch

from rezsl import Benchmark, FitResult, Training, fit
from rezsl.data import load_synthetic
from rezsl.models import LinearRegressor
from rezsl.training.settings import Precision


@pytest.fixture(scope="module")
def data() -> Benchmark:
    return load_synthetic(classes=12, attributes=8, samples=300, dim=16, unseen=4, validation=3, seed=1)


def fitted(data: Benchmark, precision: Precision = "32-true", seed: int = 0) -> FitResult:
    training = Training(max_epochs=3, precision=precision, seed=seed, accelerator="cpu", augmentation=None)
    return fit(data, partial(LinearRegressor), training=training, progress=False)


def weights(result: FitResult) -> torch.Tensor:
    return torch.cat([part.detach().flatten() for part in result.model.parameters()])


def test_bfloat16_is_nearer_to_float32_than_another_seed(data: Benchmark) -> None:
    full, half, other = fitted(data), fitted(data, "bf16-mixed"), fitted(data, seed=1)
    assert bool(weights(half).isfinite().all())
    assert weights(half).dtype == torch.float32
    error, noise = (float((weights(one) - weights(full)).norm()) for one in (half, other))
    assert 0 < error < 0.2 * noise


@pytest.fixture
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("deterministic")
def test_deterministic_algorithms_are_enough_for_a_run(data: Benchmark) -> None:
    assert torch.equal(weights(fitted(data)), weights(fitted(data)))
