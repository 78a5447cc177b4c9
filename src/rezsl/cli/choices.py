"""Names that ``--data``, ``--model``, ``--backbone`` and the losses accept: those that rezsl's packages register.

The command line learns the options of each from the signature of its loader, class or builder.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from inspect import isabstract, signature

from jsonargparse import set_parsing_settings
from jsonargparse.typing import class_from_function

import rezsl.generators  # noqa: F401 - its models are choices too
from rezsl.data import READERS, Benchmark
from rezsl.losses import LOSSES, ClassificationLoss, RegressionLoss
from rezsl.models import MODELS
from rezsl.regions import BACKBONES, ImageBackbone

# Without this, jsonargparse expects the fields of the dataclass in place of a reader's name.
set_parsing_settings(subclasses_enabled=[Benchmark])


def with_short_stack(call: Callable[[], None]) -> None:
    """Call in a thread, because ``class_from_function`` reads the sources of all frames above it, which takes long."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(call).result()


def _offer() -> None:
    """Make each choice an attribute of this module, under the name that the command line uses."""
    for reader in READERS.values():
        class_from_function(reader.load, name=reader.name)
    for name, model in MODELS.items():
        class_from_function(model, func_return=model, name=name)
    for name, builder in BACKBONES.items():
        class_from_function(builder, func_return=ImageBackbone, name=name)


with_short_stack(_offer)


def _subclasses(base: type) -> tuple[str, ...]:
    """Return the names of the losses of a kind, without abstract base classes."""
    return tuple(name for name, loss in LOSSES.items() if issubclass(loss, base) and not isabstract(loss))


NAMES = {
    "data": tuple(READERS),
    "model": tuple(MODELS),
    "backbone": tuple(BACKBONES),
    "loss": (*_subclasses(RegressionLoss), "null"),
    "classification": (*_subclasses(ClassificationLoss), "null"),
}

PARAMETERS = {
    "data": {name for entry in READERS.values() for name in signature(entry.load).parameters},
    # The first two parameters of a backbone or a model are passed by the training.
    "backbone": {name for builder in BACKBONES.values() for name in [*signature(builder).parameters][2:]},
    "model": {name for model in MODELS.values() for name in [*signature(model).parameters][2:]},
}
"""The options that the choices of each option have, as Python names."""

__all__ = ["NAMES", "PARAMETERS", "Benchmark", "ImageBackbone"]
