"""Half precision and deterministic algorithms train what float32 trains."""

from collections.abc import Iterator
from functools import partial
from itertools import pairwise

import pytest
import torch
from torch.amp import GradScaler

from rezsl import Benchmark, FitResult, Training, fit
from rezsl.data import load_synthetic
from rezsl.models import LinearRegressor
from rezsl.training.settings import Precision


@pytest.fixture(scope="module")
def data() -> Benchmark:
    return load_synthetic(classes=12, attributes=8, samples=300, dim=16, unseen=4, validation=3, seed=1)


def fitted(data: Benchmark, precision: Precision = "32-true", seed: int = 0, loss_weight: float = 1.0) -> FitResult:
    training = Training(
        max_epochs=3, precision=precision, seed=seed, loss_weight=loss_weight, accelerator="cpu", augmentation=None
    )
    return fit(data, partial(LinearRegressor), training=training, progress=False)


def weights(result: FitResult) -> torch.Tensor:
    return torch.cat([part.detach().flatten() for part in result.model.parameters()])


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
def test_half_precision_is_nearer_to_float32_than_another_seed(data: Benchmark, precision: Precision) -> None:
    full, half, other = fitted(data), fitted(data, precision), fitted(data, seed=1)
    assert bool(weights(half).isfinite().all())
    assert weights(half).dtype == torch.float32
    error, noise = (float((weights(one) - weights(full)).norm()) for one in (half, other))
    assert 0 < error < 0.2 * noise


@pytest.fixture
def scales(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The factors of the loss after each step."""
    found: list[float] = []
    update = GradScaler.update

    def updated(self: GradScaler) -> None:
        update(self)
        found.append(self.get_scale())

    monkeypatch.setattr(GradScaler, "update", updated)
    return found


def test_the_factor_of_the_loss_falls_until_gradients_are_finite_in_float16(
    data: Benchmark, scales: list[float]
) -> None:
    result = fitted(data, "16-mixed", loss_weight=10.0)
    # Gradients of this loss times 65536 are infinite in float16, and such a step changes no weight.
    assert scales[0] == 32768
    assert scales[-1] < 16384
    kept = [before == after for before, after in pairwise(scales)]
    assert sum(kept) > len(kept) / 2
    assert bool(weights(result).isfinite().all())
    full = fitted(data, loss_weight=10.0)
    assert float((weights(result) - weights(full)).norm()) < 0.3 * float(weights(full).norm())


@pytest.fixture
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("deterministic")
def test_deterministic_algorithms_are_enough_for_a_run(data: Benchmark) -> None:
    assert torch.equal(weights(fitted(data)), weights(fitted(data)))
