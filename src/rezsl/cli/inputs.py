"""What ``rezsl predict`` and ``rezsl explain`` share: a model, its inputs, and the classes to choose among."""

from pathlib import Path

from jsonargparse import ArgumentParser

from rezsl.classifier import ZeroShotClassifier, model_of_images
from rezsl.cli.config import store_of_run
from rezsl.errors import DataError
from rezsl.regions import FeatureScaler, is_region_store
from rezsl.semantics import ClassSemantics


def add_class_options(options: ArgumentParser) -> None:
    """Add the options that choose the classes and the backbone."""
    options.add_argument(
        "--classes", type=Path | None, default=None,
        help="a semantics table of the classes to choose among (default: all classes known at training time)",
    )  # fmt: skip
    options.add_argument(
        "--store", type=Path | None, default=None, metavar="DIR",
        help="for a model trained on a store of regions: a store whose backbone reads the images (default: its own)",
    )  # fmt: skip


def read_classes(table: Path | None) -> ClassSemantics | None:
    """Read the semantics table that ``--classes`` names."""
    return ClassSemantics.from_csv(table) if table is not None else None


def add_backbone(model: ZeroShotClassifier, run: Path, store: Path | None) -> ZeroShotClassifier:
    """Return a model of images: one that was trained on a store of regions gets the store's backbone.

    Args:
        model: the model of the run.
        run: its directory.
        store: the store that ``--store`` names; without it, the one that the run was trained on.

    Raises:
        DataError: the model needs a store, and there is none where the run found it.
    """
    regions = model.backbone.regions if isinstance(model.backbone, FeatureScaler) else None
    if store is None and regions is not None:
        store = store_of_run(run)
        if store is None or not is_region_store(store):
            raise DataError(
                f"{run}: trained on regions of {regions['backbone']['source']}, not on images, and "
                f"{store or 'their store'} was not found; give a store of that backbone with --store"
            )
    return model if store is None else model_of_images(model, store)
