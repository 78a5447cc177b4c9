"""From a benchmark and two builders to a fresh classifier."""

from collections.abc import Callable
from dataclasses import replace

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
        regions = data.regions.to_json() if data.regions is not None else None
        stage = FeatureScaler.of(data.inputs, train_index, regions)
    else:
        channels = data.inputs.shape[1] if isinstance(data.inputs, Tensor) else 3
        stage = backbone(channels, image_size)
    if model is None:
        # Of a single region there is nothing to choose from.
        single = isinstance(data.inputs, Tensor) and (data.inputs.ndim == 2 or data.inputs.shape[1] == 1)
        model = MLPRegressor.build if data.kind == "features" and single else AttentionNet.build
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
