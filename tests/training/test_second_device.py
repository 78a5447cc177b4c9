"""Whole trainings and what follows them, on a device whose tensors must not meet those of the CPU.

Numbers are computed by the CPU on either device, so both results are equal.
"""

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from torch.utils import backend_registration

from rezsl import Training, evaluate, fit
from rezsl.classifier import MapKind, ZeroShotClassifier, explain
from rezsl.data import Benchmark, load_digits, load_synthetic
from rezsl.losses import InverseFrequencyLoss, ReMSELoss, RRTLoss
from rezsl.models import MODELS, SemanticModel
from rezsl.regions import cached_regions, small_resnet
from rezsl.report import reported_run
from rezsl.training import Batches, Callback, EpochRecord, FitResult, Stage, _own_training, loop, protocol
from tests.processes import found_at_once

pytestmark = pytest.mark.skipif(
    not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"),
    reason="this version of PyTorch has no devices that are written in Python",
)
SHORT = Training(max_epochs=2, mixup=0.0, centered=False, folds=1, batches=Batches(ways=4, shots=4, per_epoch=3))
MODELS_TRIED: dict[str, Callable[..., SemanticModel]] = {
    **{name: MODELS[name] for name in ("attention", "apn", "smoothed", "latem", "sync", "eszsl")},
    "cada_vae": partial(MODELS["cada_vae"], steps=3),
}
LOSSES: dict[str, Callable[[], Any]] = {
    "averaged ReMSE": partial(ReMSELoss, memory="ema"),
    "RRT": lambda: RRTLoss(ReMSELoss(), InverseFrequencyLoss()),
}


def synthetic() -> Benchmark:
    return load_synthetic(classes=12, attributes=15, samples=240, dim=24, unseen=4, validation=2)


@contextmanager
def second_device() -> Iterator[Any]:
    """Train on the second device."""
    from tests import second_device as module  # noqa: PLC0415 - it registers a device for the whole process

    modules: Any = (loop, protocol, _own_training)
    before = [one.launched for one in modules]
    try:
        for one in modules:
            one.launched = module.fabric
        with module.SecondDevice() as device:
            yield device
    finally:
        for one, launched in zip(modules, before, strict=True):
            one.launched = launched


def trained(data: Benchmark, **options: Any) -> tuple[FitResult, FitResult]:
    """Return the same training on the CPU and on the second device, which has the same weights and metrics."""
    first = fit(data, progress=False, **options)
    with second_device():
        second = fit(data, progress=False, **options)
    weights, others = first.model.state_dict(), second.model.state_dict()
    assert {name: part.device.type for name, part in others.items()} == dict.fromkeys(weights, "cpu")
    torch.testing.assert_close(others, weights, rtol=1e-4, atol=1e-5)
    assert first.test is not None
    assert second.test is not None
    assert second.test.t1 == pytest.approx(first.test.t1)
    assert second.test.curve.ausuc == pytest.approx(first.test.curve.ausuc, abs=1e-6)
    return first, second


def train_model(name: str) -> None:
    loss = ReMSELoss() if MODELS[name].predicts_attributes else None
    trained(synthetic(), model=MODELS_TRIED[name], training=replace(SHORT, loss=loss))


def train_with_loss(name: str) -> None:
    trained(synthetic(), training=replace(SHORT, loss=LOSSES[name]()))


def train_in_parts_with_mixed_images() -> None:
    batches = replace(SHORT.batches, micro=6)
    trained(synthetic(), training=replace(SHORT, mixup=1.0, centered=True, batches=batches))


class PowerCut(Callback):
    """Ends the second epoch of the first stage with an error."""

    def on_epoch_end(self, stage: Stage, record: EpochRecord) -> None:
        if stage.epoch == 2:
            raise RuntimeError("power cut")


def resume() -> None:
    with TemporaryDirectory() as folder, second_device():
        expected = fit(synthetic(), progress=False, training=SHORT).model.state_dict()
        run = Path(folder) / "run"
        with pytest.raises(RuntimeError, match="power cut"):
            fit(synthetic(), progress=False, training=SHORT, run_dir=run, callbacks=[PowerCut()])
        found = fit(synthetic(), progress=False, training=SHORT, run_dir=run, resume=True).model.state_dict()
        for name, part in expected.items():
            torch.testing.assert_close(found[name], part, rtol=0, atol=0)


def train_on_images_and_use_the_model() -> None:
    data = load_digits()
    result, _ = trained(data, training=SHORT)
    model, images = result.model, data.inputs[:6]
    names, maps = named(model, images), read_places(model, images)
    with second_device() as device:
        model.to(device.place)
        assert named(model, images) == names
        again = evaluate(model, data)
        assert result.test is not None
        assert (again.t1, again.point) == (result.test.t1, result.test.point)
        torch.testing.assert_close(read_places(model, images), maps)
        reported_run(model, data)


def named(model: ZeroShotClassifier, images: Any) -> list[list[str]]:
    """The classes of each image, the best first."""
    return [[ranked.name for ranked in answer] for answer in model.classify(images)]


def read_places(model: ZeroShotClassifier, images: Any) -> list[torch.Tensor]:
    """The maps of an image, of both kinds."""
    kinds: tuple[MapKind, ...] = ("gradient", "attention")
    found = [explain(model, images, 2, kind=kind).maps for kind in kinds]
    return [maps.maps for maps in found if maps is not None]


def extract_regions_of_images() -> None:
    data = load_digits()
    torch.manual_seed(0)
    backbone = small_resnet(1, 16)
    with TemporaryDirectory() as folder:
        expected = cached_regions(data, backbone, Path(folder) / "first", progress=False, device="cpu")
        with second_device() as device:
            found = cached_regions(data, backbone, Path(folder) / "second", progress=False, device=device.place)
        torch.testing.assert_close(torch.as_tensor(found.inputs), torch.as_tensor(expected.inputs))
    assert next(backbone.parameters()).device.type == "cpu"


def read_nothing_between_steps() -> None:
    reads = []
    for steps in (2, 6):
        with second_device() as device:
            before = device.reads
            training = replace(SHORT, batches=replace(SHORT.batches, per_epoch=steps))
            fit(synthetic(), progress=False, training=training)
            reads.append(device.reads - before)
    assert reads[0] == reads[1]


WORKS: dict[str, Callable[[], None]] = {
    **{f"model {name}": partial(train_model, name) for name in MODELS_TRIED},
    **{f"loss {name}": partial(train_with_loss, name) for name in LOSSES},
    "parts": train_in_parts_with_mixed_images,
    "resumed": resume,
    "extraction": extract_regions_of_images,
    "images": train_on_images_and_use_the_model,
    "no reads": read_nothing_between_steps,
}


def outcome(name: str) -> str:
    """Return the traceback of a piece of work that fails; nothing of one that does not."""
    with second_device():  # PyTorch counts the devices when it first computes a gradient
        torch.set_num_threads(1)
    try:
        WORKS[name]()
    except Exception:  # noqa: BLE001 - the test shows it
        return traceback.format_exc()
    return ""


@pytest.mark.parametrize("name", WORKS)
def test_work_is_the_same_on_a_second_device(name: str) -> None:
    (error,) = found_at_once(outcome, name, count=1)
    assert not error, error


def test_a_forgotten_tensor_fails_there() -> None:
    (result,) = found_at_once(mixed, count=1)
    assert result.startswith("AssertionError: aten.add.Tensor mixes the devices")


def mixed() -> None:
    with second_device() as device:
        torch.ones(2, device=device.place) + torch.ones(2)
