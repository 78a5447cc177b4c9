"""Images for a model that was trained on a store of regions."""

from pathlib import Path

from rezsl.classifier import ZeroShotClassifier, model_of_images
from rezsl.errors import DataError
from rezsl.files import read_yaml
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
    try:
        return Path(read_yaml(run / "config.yaml", DataError)["data"]["init_args"]["root"])
    except (DataError, KeyError, TypeError):
        # The caller's message names what is missing, so a damaged file counts as none here.
        return None
