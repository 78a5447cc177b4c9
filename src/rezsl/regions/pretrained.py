"""Backbones that others have trained, from a directory or from the local cache of a model hub."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from rezsl.errors import ArgumentError, ModelFileError
from rezsl.regions.hub import find_file, quiet
from rezsl.regions.image_backbone import ImageBackbone

if TYPE_CHECKING:
    from transformers import PretrainedConfig

IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


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
    """A backbone with trained weights: any ResNet, ConvNeXt, ViT, DINOv2, CLIP or SigLIP vision tower of transformers.

    Images are scaled so that their shorter side has 8/7 of ``image_size`` (256 for 224, as these networks were
    trained), cropped, and normalised as the preprocessing file beside the weights says.

    Args:
        channels: 3; trained weights are for RGB, greyscale photos are read as such.
        natural_size: of the images at hand; trained weights do not ask for it.
        source: a directory with ``config.json`` and ``model.safetensors``, or the id of a model on the hub, such as
            ``microsoft/resnet-101``; what is in the local cache needs no network.
        image_size: height and width of the images it sees, in pixels; None takes what it was trained with.
        random_weights: only the architecture, from ``config.json`` alone.
        unit_regions: divide an image's regions by their root mean square length.
        allow_pickle: also load ``pytorch_model.bin``, a format that can run a stranger's code.
        revision: branch, tag or commit on the hub.

    Raises:
        ArgumentError: the source cannot be found, or is no vision model.
        ModelFileError: there are no safetensors weights, or they are damaged.
    """
    config = _vision_config(source, revision)
    if image_size is None:
        image_size = getattr(config, "image_size", None) or 224
    preprocessing = _preprocessing(source, revision)
    backbone = ImageBackbone(
        config,
        image_size,
        resize=math.ceil(image_size * 8 / 7),
        mean=preprocessing.get("image_mean", IMAGENET_MEAN),
        deviation=preprocessing.get("image_std", IMAGENET_DEVIATION),
        unit_regions=unit_regions,
    )
    if not random_weights:
        _load_weights(backbone, source, revision, allow_pickle)
    return backbone


def _vision_config(source: str, revision: str | None) -> "PretrainedConfig":
    """The configuration of the source's vision part: of the whole model, or of the vision tower of a pair."""
    from transformers import AutoConfig  # noqa: PLC0415 - three seconds of import that features never need

    path = find_file(source, "config.json", revision)
    if path is None:
        raise ArgumentError(f"source: expected config.json and model.safetensors in {source}, found no config.json")
    try:
        with quiet():
            config = AutoConfig.from_pretrained(path.parent)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"{path}: not a configuration that transformers knows ({_first_line(error)})") from error
    vision: PretrainedConfig = getattr(config, "vision_config", config)
    if not hasattr(vision, "num_channels"):
        raise ArgumentError(f"source: expected a vision model, got {vision.model_type!r} in {source}")
    return vision


def _preprocessing(source: str, revision: str | None) -> dict[str, Any]:
    """The image preprocessing's own file; ImageNet's colours are meant where there is none."""
    path = find_file(source, "preprocessor_config.json", revision)
    if path is None:
        return {}
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelFileError(f"{path}: expected JSON ({error})") from error
    return content


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
                # One file of the cache stands for its model, unless the weights are in several.
                path.parent if Path(source).is_dir() or path.suffix != ".json" else source,
                config=backbone.config,
                revision=revision,
                use_safetensors=path.suffix != ".bin",
                output_loading_info=True,
                dtype=torch.float32,
            )
    # A damaged file makes safetensors and transformers raise almost anything.
    except Exception as error:
        raise ModelFileError(f"{path}: the weights cannot be loaded ({_first_line(error)})") from error
    # A pooler is not used here; anything else that is missing would be random weights taken for trained ones.
    if missing := sorted(name for name in report["missing_keys"] if "pooler" not in name):
        raise ModelFileError(f"{path}: lacks {len(missing)} weights of its own architecture, such as {missing[0]!r}")
    backbone.network = network.to(memory_format=torch.channels_last).train()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
