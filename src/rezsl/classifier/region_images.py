"""A model that was trained on a store of regions, and the backbone that the store keeps: a model of images."""

import hashlib
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load

from rezsl.classifier.zero_shot_classifier import ZeroShotClassifier
from rezsl.errors import ArgumentError, DataError
from rezsl.regions import FeatureScaler, ImageBackbone, ScaledImageBackbone
from rezsl.regions.manifest import differences, read_manifest
from rezsl.regions.store import BACKBONE, MANIFEST


def backbone_of_store(root: str | Path) -> ImageBackbone:
    """The backbone that a store of regions was extracted with, in evaluation mode.

    Raises:
        DataError: the store's manifest or its copy of the weights is missing or damaged.
    """
    description, path = read_manifest(Path(root) / MANIFEST).backbone, Path(root) / BACKBONE
    if description["class"] != ImageBackbone.__name__:
        raise DataError(
            f"{root}: extracted with a backbone of the class {description['class']!r}; join it with the model in "
            f"Python, with ScaledImageBackbone.of"
        )
    try:
        weights = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); run the same rezsl extract") from error
    if hashlib.sha256(weights).hexdigest() != description["sha256"]:
        raise DataError(f"{path}: does not match the manifest; remove it and run the same rezsl extract")
    try:
        backbone = ImageBackbone.restore(description["specification"])
        backbone.load_state_dict(load(weights))
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        detail = " ".join(str(error).split())[:160]
        raise DataError(f"{root}: not a readable backbone ({type(error).__name__}: {detail})") from error
    return backbone.eval()


def model_of_images(model: ZeroShotClassifier, store: str | Path) -> ZeroShotClassifier:
    """A model that was trained on a store of regions, with the store's backbone before it; in evaluation mode.

    Saved with :func:`rezsl.save_model` it needs the store no more.

    Args:
        model: as :func:`rezsl.load_model` gives it.
        store: directory of the store, or of another one that was extracted with the same backbone.

    Raises:
        ArgumentError: the model was not trained on a store.
        DataError: the store's backbone is another one, or damaged.
    """
    scaler, manifest = model.backbone, read_manifest(Path(store) / MANIFEST)
    if not isinstance(scaler, FeatureScaler) or scaler.regions is None:
        raise ArgumentError("model: expected one that was trained on a store of regions, got another")
    asked, kept = scaler.regions, {"backbone": manifest.backbone, "dtype": manifest.dtype}
    if found := differences(kept, asked):
        raise DataError(
            f"{store}: expected a store of regions of {asked['backbone']['source']}, which the model was trained on, "
            f"got one that differs in {'; '.join(found[:3])}"
        )
    joined = ScaledImageBackbone.of(backbone_of_store(store), scaler, manifest.dtype)
    return ZeroShotClassifier(
        joined, model.network, model.semantics, model.seen_classes, model.gamma, model.scale, model.protocol
    ).eval()
