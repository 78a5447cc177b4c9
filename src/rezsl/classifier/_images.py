"""A model of images, made from a model that was trained on a store of regions."""

from pathlib import Path

from rezsl.classifier._classifier import ZeroShotClassifier
from rezsl.errors import ArgumentError, DataError
from rezsl.files import differences
from rezsl.regions import IRRELEVANT, FeatureScaler, ScaledImageBackbone, load_store_backbone, read_manifest


def model_of_images(model: ZeroShotClassifier, store: str | Path) -> ZeroShotClassifier:
    """Return a model that was trained on a store of regions, preceded by the store's backbone, in evaluation mode.

    Once saved with :func:`rezsl.save_model`, it does not need the store.

    Args:
        model: the result of :func:`rezsl.load_model`.
        store: directory of the store, or of another store that was extracted with the same backbone.

    Raises:
        ArgumentError: the model was not trained on a store.
        DataError: the store has another backbone, or is damaged.
    """
    scaler, manifest = model.backbone, read_manifest(Path(store))
    if not isinstance(scaler, FeatureScaler) or scaler.regions is None:
        raise ArgumentError("model: expected one that was trained on a store of regions, got another; use it as it is")
    trained_on, found = scaler.regions, {"backbone": manifest.backbone, "dtype": manifest.dtype}
    if changes := differences(trained_on, found, IRRELEVANT):
        raise DataError(
            f"{store}: expected a store of regions of {trained_on['backbone']['source']}, which the model was trained "
            f"on, got one that differs in {'; '.join(changes[:3])}; give a store of that backbone"
        )
    joined = ScaledImageBackbone.join(load_store_backbone(store), scaler, manifest.dtype)
    return ZeroShotClassifier(
        joined, model.network, model.semantics, model.seen_classes, model.gamma, model.scale, model.protocol
    ).eval()
