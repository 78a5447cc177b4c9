"""Attribute-based zero-shot learning: recognise classes without training photos from a table that describes them.

The names below are loaded when they are first used, so ``import rezsl`` itself costs next to nothing.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rezsl.bundle import load_model, save_model
    from rezsl.classifier import ZeroShotClassifier
    from rezsl.data import Benchmark, Split, load_digits, load_image_folder, load_region_store, load_xlsa17
    from rezsl.errors import RezslError
    from rezsl.evaluation import GZSLResult, evaluate
    from rezsl.extraction import extract_regions
    from rezsl.region_images import model_of_images
    from rezsl.semantics import ClassSemantics
    from rezsl.training import FitResult, fit

__version__ = version("rezsl")

_HOME = {
    "Benchmark": "rezsl.data",
    "ClassSemantics": "rezsl.semantics",
    "FitResult": "rezsl.training",
    "GZSLResult": "rezsl.evaluation",
    "RezslError": "rezsl.errors",
    "Split": "rezsl.data",
    "ZeroShotClassifier": "rezsl.classifier",
    "evaluate": "rezsl.evaluation",
    "extract_regions": "rezsl.extraction",
    "fit": "rezsl.training",
    "load_digits": "rezsl.data",
    "load_image_folder": "rezsl.data",
    "load_model": "rezsl.bundle",
    "load_region_store": "rezsl.data",
    "load_xlsa17": "rezsl.data",
    "model_of_images": "rezsl.region_images",
    "save_model": "rezsl.bundle",
}
_ROOMS = (
    "analysis",
    "backbones",
    "data",
    "estimators",
    "functional",
    "losses",
    "metrics",
    "models",
    "training",
    "words",
)

__all__ = [
    "Benchmark",
    "ClassSemantics",
    "FitResult",
    "GZSLResult",
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
