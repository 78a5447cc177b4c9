"""From a benchmark and two builders to a fresh classifier, and a record of what that is."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.backbones import Backbone, FeatureScaler, ImageBackbone
from rezsl.classifier import ZeroShotClassifier
from rezsl.data import Benchmark, natural_size, read_images
from rezsl.models import AttentionNet, MLPRegressor, SemanticModel

ModelBuilder = Callable[[int, Float[Tensor, "S L"]], SemanticModel]
BackboneBuilder = Callable[[int, int], ImageBackbone]

MOST_CACHED_BYTES = 2 << 30


def new_classifier(
    data: Benchmark,
    train_index: Int[Tensor, "N"],
    model: ModelBuilder | None,
    backbone: BackboneBuilder,
    image_size: int,
    scale: float,
    seed: int,
) -> ZeroShotClassifier:
    """A classifier with random weights that only the seed decides; its seen classes are those of ``train_index``."""
    torch.manual_seed(seed)
    stage: Backbone
    if data.kind == "features":
        assert isinstance(data.inputs, Tensor)
        stage = FeatureScaler.of(data.inputs[train_index])
    else:
        channels = data.inputs.shape[1] if isinstance(data.inputs, Tensor) else 3
        stage = backbone(channels, image_size)
    if model is None:
        model = MLPRegressor.build if data.kind == "features" else AttentionNet.build
    network = model(stage.region_dim, data.semantics.query_vectors)
    return ZeroShotClassifier(stage, network, data.semantics, data.class_names(train_index), scale=scale)


def seen_at(data: Benchmark, image_size: int | None) -> int:
    """The image size of a run: the one asked for, or the images' own; 0 for features."""
    if data.kind == "features":
        return 0
    return natural_size(data.inputs) if image_size is None else image_size


def in_memory(data: Benchmark, image_size: int) -> Benchmark:
    """Decode image files once, if together they take at most 2 GiB; larger sets are decoded as they are needed."""
    if isinstance(data.inputs, Tensor) or len(data.inputs) * 3 * image_size**2 > MOST_CACHED_BYTES:
        return data
    return replace(data, inputs=read_images(data.inputs, image_size))


def fingerprint(data: Benchmark) -> dict[str, Any]:
    """What identifies a benchmark in a record: its size, and a checksum of labels, semantics and split."""
    checksum = hashlib.sha256()
    for tensor in (data.labels, data.semantics.values, *data.split.parts().values()):
        checksum.update(tensor.contiguous().numpy().tobytes())
    for name in (*data.semantics.classes, *data.semantics.attributes):
        checksum.update(name.encode() + b"\0")
    return {
        "name": data.name,
        "kind": data.kind,
        "inputs": len(data.labels),
        "seen_classes": len(data.seen_classes),
        "unseen_classes": len(data.unseen_classes),
        "attributes": len(data.semantics.attributes),
        "sha256": checksum.hexdigest(),
        "notes": list(data.notes),
    }
