"""Backbones with trained weights, from a directory or from a model hub."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from rezsl.errors import ArgumentError, ModelFileError, needs
from rezsl.files import read_json
from rezsl.regions._backbone import backbone_builder
from rezsl.regions._hub import commit_of, find_file, quiet
from rezsl.regions.image_backbone import ImageBackbone

if TYPE_CHECKING:
    from transformers import PretrainedConfig

IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@backbone_builder("pretrained")
def pretrained(
    channels: int,
    natural_size: int,
    source: str,
    image_size: int | None = None,
    random_weights: bool = False,
    unit_regions: bool = False,
    allow_pickle: bool = False,
    revision: str | None = None,
) -> ImageBackbone:
    """Return a ResNet, ConvNeXt, ViT, DINOv2, CLIP or SigLIP vision network of transformers with trained weights.

    Images are scaled so that their shorter side has 8/7 of ``image_size`` (256 for 224, as these networks were
    trained), cropped, and normalised by the colours in the preprocessing file beside the weights.

    Args:
        channels: 3; trained weights are for RGB, and greyscale photos are read as RGB.
        natural_size: size of the images at hand in pixels, which is not used.
        source: a directory with ``config.json`` and ``model.safetensors``, or the id of a model on the hub, such as
            ``microsoft/resnet-101``; a model in the local cache needs no network.
        image_size: height and width of the input images in pixels; None takes the size of its training.
        random_weights: use random weights with the architecture of ``config.json``.
        unit_regions: divide the regions of an image by their root mean square length.
        allow_pickle: also load ``pytorch_model.bin``, a format that can run a stranger's code.
        revision: branch, tag or commit on the hub.

    Raises:
        ArgumentError: the source cannot be found, or is not a vision model.
        ModelFileError: there are no safetensors weights, or they are damaged.
        MissingPackageError: transformers is not installed.
    """
    config = _vision_config(source, revision)
    if image_size is None:
        image_size = getattr(config, "image_size", None) or 224
    preprocessing = _preprocessing(source, revision)
    backbone = ImageBackbone(
        config.to_diff_dict() | {"model_type": config.model_type},
        image_size,
        resize=math.ceil(image_size * 8 / 7),
        mean=preprocessing.get("image_mean", IMAGENET_MEAN),
        deviation=preprocessing.get("image_std", IMAGENET_DEVIATION),
        unit_regions=unit_regions,
    )
    if not random_weights:
        _load_weights(backbone, source, revision, allow_pickle)
    return backbone


def weights_commit(source: str, revision: str | None = None) -> str | None:
    """Return the commit of a model of the hub, as far as the local cache records it; None for a directory."""
    config = find_file(source, "config.json", revision)
    return None if config is None or Path(source).is_dir() else commit_of(config)


def _vision_config(source: str, revision: str | None) -> "PretrainedConfig":
    """Return the configuration of the model, or of the vision part of a model of images and text."""
    with needs("images", "trained backbones"):
        from transformers import AutoConfig  # noqa: PLC0415 - it takes three seconds, and features do not need it

    path = find_file(source, "config.json", revision)
    if path is None:
        raise ArgumentError(
            f"source: expected config.json and model.safetensors in {source}, found no config.json; check the source"
        )
    try:
        with quiet():
            config = AutoConfig.from_pretrained(path.parent)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(
            f"{path}: expected a configuration of transformers, got another ({_first_line(error)}); check the source"
        ) from error
    vision: PretrainedConfig = getattr(config, "vision_config", config)
    if not hasattr(vision, "num_channels"):
        raise ArgumentError(
            f"source: expected a vision model, got {vision.model_type!r} in {source}; choose another source"
        )
    return vision


def _preprocessing(source: str, revision: str | None) -> dict[str, Any]:
    """Return the content of the preprocessing file; without such a file the colours of ImageNet are used."""
    path = find_file(source, "preprocessor_config.json", revision)
    return {} if path is None else read_json(path, ModelFileError, "the preprocessing of images as JSON")


def _load_weights(backbone: ImageBackbone, source: str, revision: str | None, allow_pickle: bool) -> None:
    names = ["model.safetensors", "model.safetensors.index.json", *(["pytorch_model.bin"] if allow_pickle else [])]
    path = next((path for name in names if (path := find_file(source, name, revision)) is not None), None)
    if path is None:
        hint = "" if allow_pickle else "; pickled weights are only loaded with allow_pickle"
        raise ModelFileError(f"source: expected model.safetensors in {source}, found none{hint}")
    kind: Any = type(backbone.network)
    try:
        with quiet():
            network, report = kind.from_pretrained(
                # A path in the cache is enough, except where the weights are in several files.
                path.parent if Path(source).is_dir() or path.suffix != ".json" else source,
                config=backbone.config,
                revision=revision,
                use_safetensors=path.suffix != ".bin",
                output_loading_info=True,
                dtype=torch.float32,
            )
    # A damaged file makes safetensors and transformers raise almost any exception.
    except Exception as error:
        raise ModelFileError(
            f"{path}: the weights cannot be loaded ({_first_line(error)}); get the file again"
        ) from error
    # The pooler is not used. Any other missing weight would stay random in a backbone that counts as trained.
    if missing := sorted(name for name in report["missing_keys"] if "pooler" not in name):
        raise ModelFileError(
            f"{path}: lacks {len(missing)} weights of its own architecture, such as {missing[0]!r}; get the file again"
        )
    backbone.network = network.to(memory_format=torch.channels_last).train()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
