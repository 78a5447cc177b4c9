"""Attribute-based zero-shot learning: recognise classes without training photos from a table that describes them.

The names below are loaded when they are first used, so ``import rezsl`` itself costs next to nothing.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rezsl.classifier import ZeroShotClassifier, load_model, model_of_images, save_model
    from rezsl.data import Benchmark, Split, load_digits, load_image_folder, load_xlsa17
    from rezsl.errors import RezslError
    from rezsl.evaluation import Evaluation, evaluate
    from rezsl.regions import extract_regions, load_region_store
    from rezsl.semantics import ClassSemantics
    from rezsl.training import FitResult, fit

__version__ = version("rezsl")

_HOME = {
    "Benchmark": "rezsl.data",
    "ClassSemantics": "rezsl.semantics",
    "Evaluation": "rezsl.evaluation",
    "FitResult": "rezsl.training",
    "RezslError": "rezsl.errors",
    "Split": "rezsl.data",
    "ZeroShotClassifier": "rezsl.classifier",
    "evaluate": "rezsl.evaluation",
    "extract_regions": "rezsl.regions",
    "fit": "rezsl.training",
    "load_digits": "rezsl.data",
    "load_image_folder": "rezsl.data",
    "load_model": "rezsl.classifier",
    "load_region_store": "rezsl.regions",
    "load_xlsa17": "rezsl.data",
    "model_of_images": "rezsl.classifier",
    "save_model": "rezsl.classifier",
}
_ROOMS = (
    "classifier",
    "data",
    "estimators",
    "evaluation",
    "functional",
    "losses",
    "metrics",
    "models",
    "regions",
    "semantics",
    "training",
)

__all__ = [
    "Benchmark",
    "ClassSemantics",
    "Evaluation",
    "FitResult",
    "RezslError",
    "Split",
    "ZeroShotClassifier",
    "evaluate",
    "extract_regions",
    "fit",
    "load_digits",
    "load_image_folder",
    "load_model",
    "load_region_store",
    "load_xlsa17",
    "model_of_images",
    "save_model",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    if name in _ROOMS:
        return import_module(f"rezsl.{name}")
    raise AttributeError(f"module 'rezsl' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_ROOMS, "__version__"})
