"""Attribute-based zero-shot learning: recognise classes without training photos from a table that describes them.

The names below are imported at their first use, so ``import rezsl`` itself takes a few milliseconds.
"""

from importlib import import_module

TYPE_CHECKING = False  # type checkers know this name; the module typing would take most of the time of this import
if TYPE_CHECKING:
    from typing import Any

    from rezsl.classifier import ZeroShotClassifier, load_model, model_of_images, save_model
    from rezsl.data import (
        Benchmark,
        Split,
        load_apy,
        load_awa2,
        load_cub,
        load_digits,
        load_flowers,
        load_gtsrb,
        load_image_folder,
        load_sun,
        load_synthetic,
        load_xlsa17,
    )
    from rezsl.errors import RezslError
    from rezsl.evaluation import Evaluation, evaluate
    from rezsl.export import export_model
    from rezsl.losses import ReMSELoss
    from rezsl.models import AttentionNet
    from rezsl.regions import extract_regions, load_region_store
    from rezsl.semantics import ClassSemantics
    from rezsl.training import FitResult, Training, fit

    __version__: str

__all__ = [  # noqa: RUF022 - in the order in which a new user meets them
    "fit",
    "evaluate",
    "load_model",
    "save_model",
    "Training",
    "Benchmark",
    "ClassSemantics",
    "Split",
    "ReMSELoss",
    "AttentionNet",
    "Evaluation",
    "FitResult",
    "ZeroShotClassifier",
    "load_image_folder",
    "load_digits",
    "load_synthetic",
    "load_xlsa17",
    "load_apy",
    "load_awa2",
    "load_cub",
    "load_flowers",
    "load_gtsrb",
    "load_sun",
    "extract_regions",
    "load_region_store",
    "model_of_images",
    "export_model",
    "RezslError",
]

# The package that holds each of these names. All other names are in rezsl.data.
_HOMES = {
    "classifier": ("ZeroShotClassifier", "load_model", "model_of_images", "save_model"),
    "errors": ("RezslError",),
    "evaluation": ("Evaluation", "evaluate"),
    "export": ("export_model",),
    "losses": ("ReMSELoss",),
    "models": ("AttentionNet",),
    "regions": ("extract_regions", "load_region_store"),
    "semantics": ("ClassSemantics",),
    "training": ("FitResult", "Training", "fit"),
}
_HOME = {name: room for room, names in _HOMES.items() for name in names}
_ROOMS = sorted({*_HOMES, "data", "estimators", "functional", "generators", "metrics"} - {"errors"})


def __getattr__(name: str) -> "Any":
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - reading it takes longer than everything above

        return version("rezsl")
    if name in _ROOMS:
        return import_module(f"rezsl.{name}")
    if name in __all__:
        return getattr(import_module(f"rezsl.{_HOME.get(name, 'data')}"), name)
    raise AttributeError(f"module 'rezsl' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_ROOMS, "__version__"})
