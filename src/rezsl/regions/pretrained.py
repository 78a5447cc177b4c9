"""Backbones with trained weights, from a directory or from a model hub."""

import logging
import math
import socket
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from rezsl.errors import ArgumentError, ModelFileError, needs
from rezsl.files import one_line, read_json, reading
from rezsl.regions._backbone import backbone_builder
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
    colours = _find_file(source, "preprocessor_config.json", revision)
    preprocessing = {} if colours is None else read_json(colours, ModelFileError, "the preprocessing of images as JSON")
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
    config = None if Path(source).is_dir() else _find_file(source, "config.json", revision)
    # The cache names its files models--<owner>--<name>/snapshots/<commit>/<file>.
    return config.parent.name if config is not None and config.parent.parent.name == "snapshots" else None


def _vision_config(source: str, revision: str | None) -> "PretrainedConfig":
    """Return the configuration of the model, or of the vision part of a model of images and text."""
    with needs("images", "trained backbones"):
        from transformers import AutoConfig  # noqa: PLC0415 - it takes three seconds, and features do not need it

    path = _find_file(source, "config.json", revision)
    if path is None:
        raise ArgumentError(
            f"source: expected config.json and model.safetensors in {source}, found no config.json; check the source"
        )
    with reading(path, "a configuration of transformers", ModelFileError, "check the source"), quiet():
        config = AutoConfig.from_pretrained(path.parent)
    vision: PretrainedConfig = getattr(config, "vision_config", config)
    if not hasattr(vision, "num_channels"):
        raise ArgumentError(
            f"source: expected a vision model, got {vision.model_type!r} in {source}; choose another source"
        )
    return vision


def _load_weights(backbone: ImageBackbone, source: str, revision: str | None, allow_pickle: bool) -> None:
    names = ["model.safetensors", "model.safetensors.index.json", *(["pytorch_model.bin"] if allow_pickle else [])]
    path = next((path for name in names if (path := _find_file(source, name, revision)) is not None), None)
    if path is None:
        hint = "" if allow_pickle else "; pickled weights are only loaded with allow_pickle"
        raise ModelFileError(f"source: expected model.safetensors in {source}, found none{hint}")
    kind: Any = type(backbone.network)
    with reading(path, "the weights of a vision model", ModelFileError, "get the file again"), quiet():
        network, report = kind.from_pretrained(
            # A path in the cache is enough, except where the weights are in several files.
            path.parent if Path(source).is_dir() or path.suffix != ".json" else source,
            config=backbone.config,
            revision=revision,
            use_safetensors=path.suffix != ".bin",
            output_loading_info=True,
            dtype=torch.float32,
        )
    # The pooler is not used. Any other missing weight would stay random in a backbone that counts as trained.
    if missing := sorted(name for name in report["missing_keys"] if "pooler" not in name):
        raise ModelFileError(
            f"{path}: lacks {len(missing)} weights of its own architecture, such as {missing[0]!r}; get the file again"
        )
    backbone.network = network.to(memory_format=torch.channels_last).train()


def _find_file(source: str, name: str, revision: str | None) -> Path | None:
    """Return the path of a file of a model; None where the model exists and has no such file."""
    if Path(source).is_dir():
        path = Path(source) / name
        return path if path.is_file() else None
    with needs("images", "models of the hub"):
        from huggingface_hub import errors, hf_hub_download, try_to_load_from_cache  # noqa: PLC0415 - it takes a second

    try:
        cached = try_to_load_from_cache(source, name, revision=revision)
        if cached is not None:  # the cache also records which files a model lacks
            return Path(cached) if isinstance(cached, str) else None
        with quiet():
            return Path(hf_hub_download(source, name, revision=revision, local_files_only=not _hub_answers()))
    except errors.LocalEntryNotFoundError as error:
        if name != "config.json":  # a model in the cache has its configuration there, which is searched first
            return None
        raise ArgumentError(
            f"source: {source!r} is neither a directory nor in the local cache, and there is no network; give a "
            f"directory that holds config.json and model.safetensors, or download it elsewhere first"
        ) from error
    except errors.EntryNotFoundError:
        return None
    except (errors.HFValidationError, errors.HfHubHTTPError, OSError) as error:
        raise ArgumentError(
            f"source: expected a directory or a model of the hub, got {source!r} ({one_line(error)}); check its "
            f"spelling"
        ) from error


def _hub_answers() -> bool:
    """Return whether the hub can be reached, without its client, which repeats its attempts for half a minute."""
    from huggingface_hub import constants  # noqa: PLC0415 - it takes a second

    if constants.HF_HUB_OFFLINE:
        return False
    if urllib.request.getproxies():
        return True
    address = urllib.parse.urlsplit(constants.ENDPOINT)
    try:
        with socket.create_connection((address.hostname, address.port or 443), timeout=5):
            return True
    except OSError:
        return False


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress progress bars and reports of transformers and of the hub's client; rezsl raises its own errors."""
    from transformers.utils import logging as transformers_logging  # noqa: PLC0415 - it takes seconds

    loggers = [logging.getLogger(name) for name in ("transformers", "huggingface_hub")]
    levels = [logger.level for logger in loggers]
    showed_bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if showed_bars:
            transformers_logging.enable_progress_bar()
