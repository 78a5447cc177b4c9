"""From a benchmark and two builders to a fresh classifier and its batches."""

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from rezsl.classifier import ZeroShotClassifier, model_of_images
from rezsl.data import Benchmark, Crop, FeatureFormat, ImageFormat, natural_size, read_images
from rezsl.errors import ArgumentError, renamed
from rezsl.models import AttentionNet, HasAttention, MLPRegressor, SemanticModel
from rezsl.regions import FeatureScaler, ImageBackbone, cached_regions, pretrained, small_resnet
from rezsl.regions.image_backbone import POOLED
from rezsl.semantics import ClassSemantics, encode_words, load_word_vectors
from rezsl.terminal import Terminal
from rezsl.training.settings import Training

ModelBuilder = Callable[[int, ClassSemantics], SemanticModel]
"""A class of models, a partial of one, or any function from ``region_dim`` and class semantics to a model."""
BackboneBuilder = Callable[[int, int], ImageBackbone]
Batch = tuple[Tensor, Tensor]
"""Inputs ``[B, …]`` and rows of the semantics table ``[B]``."""

SMALL_PIXELS = 64
"""Images of at most this size train a small network from scratch; larger ones are given to a pretrained network."""

MOST_CACHED_BYTES = 2 << 30

_decoded: WeakKeyDictionary[Benchmark, tuple[ImageFormat, Tensor]] = WeakKeyDictionary()


def default_backbone(channels: int, natural_size: int) -> ImageBackbone:
    """Return ``small_resnet`` for images of at most SMALL_PIXELS, and the default of ``pretrained`` for larger ones."""
    return (small_resnet if natural_size <= SMALL_PIXELS else pretrained)(channels, natural_size)


def new_backbone(data: Benchmark, backbone: BackboneBuilder | None) -> ImageBackbone:
    """Return a backbone for the images of a benchmark."""
    channels = data.inputs.shape[1] if isinstance(data.inputs, Tensor) else 3
    built = (backbone or default_backbone)(channels, natural_size(data.inputs))
    if data.value_range is not None:
        built.read_values(data.value_range)
    return built


def with_regions(
    data: Benchmark,
    model: ModelBuilder | None,
    backbone: BackboneBuilder | None,
    seed: int,
    cache: Path,
    device: torch.device,
    progress: bool = True,
) -> Benchmark:
    """Return the benchmark with regions where its images are for a backbone that never learns, otherwise unchanged."""
    if data.kind == "features":
        return data
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        built = new_backbone(data, backbone)
        if not built.frozen:
            return data
        if built.pooling == "auto":
            attends = model is not None and issubclass(type(model(built.region_dim, data.semantics)), HasAttention)
            built.pool("none" if attends else "mean_max")
        return cached_regions(data, built, cache, progress, device)


def for_images(classifier: ZeroShotClassifier, data: Benchmark) -> ZeroShotClassifier:
    """Return the classifier, preceded by the backbone of its regions where :func:`with_regions` extracted these."""
    if data.regions is None or not data.regions.cached:
        return classifier
    return model_of_images(classifier, data.regions.root)


def new_classifier(
    data: Benchmark,
    train_index: Int[Tensor, "N"],
    model: ModelBuilder | None,
    backbone: BackboneBuilder | None,
    training: Training,
) -> ZeroShotClassifier:
    """Return a classifier whose random weights only the seed decides; its seen classes are those of the samples."""
    torch.manual_seed(training.seed)
    images = new_backbone(data, backbone) if data.kind == "images" else None
    region_dim = _feature_dim(data) if images is None else images.region_dim
    if model is None:
        # Attention over a single region has nothing to choose from.
        single = isinstance(data.inputs, Tensor) and (data.inputs.ndim == 2 or data.inputs.shape[1] == 1)
        model = MLPRegressor if data.kind == "features" and single else AttentionNet
    # A feature vector describes the whole image, so its attributes have no places.
    has_regions = data.kind == "images" or data.regions is not None
    semantics = data.semantics if has_regions else replace(data.semantics, places=None)
    network = model(region_dim, semantics)
    seen = data.class_names(train_index)
    return ZeroShotClassifier(
        _feature_stage(data, train_index, network.scaled_features) if images is None else images,
        network,
        semantics,
        seen,
        scale=training.scale,
        protocol=training.protocol,
        centered=training.centered is True,
        varied_only=training.varied_only,
    )


def _feature_dim(data: Benchmark) -> int:
    assert isinstance(data.inputs, Tensor)
    return data.inputs.shape[-1]


def _feature_stage(data: Benchmark, train_index: Int[Tensor, "N"], scaled: bool) -> FeatureScaler:
    """Return what passes features to a model: centered and scaled as the training samples need it, or as they are."""
    regions = data.regions.to_json() if data.regions is not None else None
    if not scaled:
        return FeatureScaler(_feature_dim(data), regions)
    assert isinstance(data.inputs, Tensor)
    pooled = regions is not None and regions["backbone"]["arguments"].get("pooling") in POOLED
    return FeatureScaler.from_features(data.inputs, train_index, regions, per_channel=pooled)


def with_word_vectors(
    data: Benchmark, word_vectors: str | Path | None, text_encoder: str | None, progress: bool = True
) -> Benchmark:
    """Return the benchmark with vectors of its attributes' names.

    Args:
        data: the benchmark; it is returned as it is where neither a file nor a text encoder is given.
        word_vectors: a file with vectors of the names or of the words in them.
        text_encoder: a text model of transformers that encodes the names: a directory or an id.
        progress: print which words of a file were found.

    Raises:
        ArgumentError: both a file and a text encoder are given.
    """
    if word_vectors is not None and text_encoder is not None:
        raise ArgumentError("word_vectors, text_encoder: expected one of the two, got both; leave one out")
    names = data.semantics.attributes
    if word_vectors is not None:
        found = load_word_vectors(word_vectors, names)
        console = Terminal(stderr=True, quiet=not progress)
        console.print(found.report(), highlight=False, markup=False)
        return replace(data, semantics=data.semantics.with_word_vectors(found.vectors))
    if text_encoder is not None:
        with renamed(source="text_encoder"):
            vectors = encode_words(text_encoder, names)
        return replace(data, semantics=data.semantics.with_word_vectors(vectors))
    return data


def in_memory(data: Benchmark, input_format: FeatureFormat | ImageFormat, training: Training) -> Benchmark:
    """Return the benchmark with decoded images, if they take at most 2 GiB and every epoch frames them alike.

    Larger sets, and photos of which training cuts a part at random, are decoded as they are needed. Decoded images stay
    in memory as long as the benchmark does, for the other stage and for other trials.
    """
    if isinstance(data.inputs, Tensor) or not isinstance(input_format, ImageFormat):
        return data
    size, alike = input_format.size, training.framed(input_format) == input_format
    if input_format.cuts or not alike or len(data.inputs) * 3 * size**2 > MOST_CACHED_BYTES:
        return data
    known, decoded = _decoded.get(data, (None, None))
    if known != input_format or decoded is None:
        decoded = read_images(data.inputs, size, framing=input_format.framing, value_range=input_format.value_range)
        _decoded[data] = (input_format, decoded)
    return replace(data, inputs=decoded)


class BatchesOf(Dataset[Batch]):
    """Whole batches by their lists of indices, so that a batch is one gather and not a copy per sample.

    Only the model's input format is needed, because the model would be copied into every process that loads batches.
    """

    def __init__(
        self, benchmark: Benchmark, input_format: FeatureFormat | ImageFormat, crop_seed: int | None = None
    ) -> None:
        self.inputs: Tensor | Sequence[Path | Crop] = benchmark.inputs
        self.labels, self.input_format, self.crop_seed = benchmark.labels, input_format, crop_seed

    def __getitem__(self, batch: list[int]) -> Batch:
        index = torch.tensor(batch)
        if isinstance(self.input_format, ImageFormat):
            return self.input_format.read(self.inputs, index, self._centres(index)), self.labels[index]
        return self.input_format.read(self.inputs, index), self.labels[index]

    def _centres(self, index: Int[Tensor, "B"]) -> Float[Tensor, "B 2"] | None:
        """Return where to crop, None in the middle; a resumed run crops alike, whichever process loads the batch."""
        if self.crop_seed is None:
            return None
        # The seed is mixed into the checksum, because a generator uses the lowest 32 bits of its own seed only.
        generator = torch.Generator().manual_seed(zlib.crc32(index.numpy().tobytes(), self.crop_seed))
        return torch.rand(len(index), 2, generator=generator)


def load_batches(
    batches: BatchesOf, sampler: Iterable[list[int]], workers: int, device: torch.device
) -> DataLoader[Batch]:
    """Return a loader of the batches whose indices the sampler lists, with ``workers`` processes ahead of training."""
    return DataLoader(
        batches,
        batch_size=None,
        sampler=sampler,
        num_workers=workers,
        persistent_workers=workers > 0,
        # Pinning only helps where batches are copied to a GPU; a machine with a GPU may train on its CPU.
        pin_memory=device.type == "cuda",
    )
