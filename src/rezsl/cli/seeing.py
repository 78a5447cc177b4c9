"""Images for a model that was trained on a store of regions."""

from pathlib import Path

from rezsl.classifier import ZeroShotClassifier, model_of_images
from rezsl.errors import DataError
from rezsl.regions import FeatureScaler
from rezsl.regions.store import MANIFEST

STORE_HELP = "for a model trained on a store of regions: the store, whose backbone sees the images (default: its own)"


def seeing(model: ZeroShotClassifier, run: Path, store: Path | None) -> ZeroShotClassifier:
    """The model as it sees images: itself, unless it was trained on regions.

    Raises:
        DataError: it was trained on regions, and their store is neither given nor where the run found it.
    """
    regions = model.backbone.regions if isinstance(model.backbone, FeatureScaler) else None
    if store is None and regions is not None:
        store = _own_store(run)
        if store is None or not (store / MANIFEST).is_file():
            raise DataError(
                f"{run}: trained on regions of {regions['backbone']['source']}, not on images, and "
                f"{store or 'their store'} is not at hand; give a store of that backbone with --store"
            )
    return model if store is None else model_of_images(model, store)


def _own_store(run: Path) -> Path | None:
    """The store that the run's own config.yaml names; a run made in Python has none."""
    import yaml  # noqa: PLC0415 - comes with jsonargparse

    try:
        content = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
        return Path(content["data"]["init_args"]["root"])
    except (OSError, yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError):
        # The caller says what is missing; a damaged file is as good as none here.
        return None
