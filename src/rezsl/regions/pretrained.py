"""Backbones with trained weights, from a directory or from a model hub."""

import logging
import math
import socket
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from rezsl.data import Framing
from rezsl.errors import ArgumentError, MissingPackageError, ModelFileError, needs
from rezsl.files import check_source, one_line, read_json, reading
from rezsl.regions._architectures import TIMM, TOWERS, VISION_TYPES, known_part
from rezsl.regions._backbone import backbone_builder
from rezsl.regions.image_backbone import ImageBackbone, Pooling
from rezsl.weights import SAFE_FILES, bytes_of_weights, cached_file, check_network_size, files_of_weights

if TYPE_CHECKING:
    from transformers import PretrainedConfig

IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

RECORDED = (
    "architectures", "dtype", "id2label", "label2id", "label_names", "num_classes", "pretrained_cfg", "problem_type",
    "torch_dtype", "transformers_version",
)  # fmt: skip
"""What is kept of a configuration for the records of a run, although it does not shape the network."""

DEFAULT_SOURCE = "facebook/dinov2-small"
"""The network of a training on photos that names none; docs/how-to/backbones.md gives the reasons."""


@backbone_builder("pretrained")
def pretrained(
    channels: int,
    natural_size: int,
    source: str = DEFAULT_SOURCE,
    image_size: int | None = None,
    trainable_stages: int | None = 0,
    pooling: Pooling = "auto",
    framing: Framing = "whole",
    resize: int | None = None,
    random_weights: bool = False,
    unit_regions: bool = False,
    allow_pickle: bool = False,
    revision: str | None = None,
) -> ImageBackbone:
    """Return a vision network of transformers with trained weights, such as a ResNet, ConvNeXt, ViT, DINOv2 or CLIP.

    Pixels are normalised by the colours in the preprocessing file beside the weights. By default the network is frozen
    and receives the whole image. The default source is DINOv2's smallest network (Oquab et al., *DINOv2: Learning
    robust visual features without supervision*, TMLR 2024; 22 million weights, 88 MB, Apache 2.0). Its features are
    learnt without labels, so that they describe more than the thousand classes of ImageNet.

    Args:
        channels: 3; trained weights are for RGB, and greyscale photos are read as RGB.
        natural_size: size of the images at hand in pixels, which is not used.
        source: a directory with ``config.json`` and ``model.safetensors``, or the id of a model on the hub, such as
            ``microsoft/resnet-101``; a model in the local cache needs no network. Networks of timm need that package.
        image_size: height and width of the input images in pixels; None takes the size in its preprocessing file or
            configuration, or 224.
        trainable_stages: how many stages of a convolutional network, or layers of a transformer, learn, counted from
            the end; 0 freezes all, None (null) trains the whole network.
        pooling: ``none`` keeps all regions, ``mean`` and ``mean_max`` make one of them (the mean, beside it the
            maximum or the class token); ``joint`` is the embedding of CLIP or SigLIP in their joint space of images
            and texts, for ``--model clip``; ``auto`` takes ``mean_max`` where the network is frozen and the model has
            no attention, otherwise ``none``.
        framing: ``whole`` squeezes the whole image into a square; ``crop`` cuts the square out of the middle in tests,
            and at random in training, see :class:`rezsl.training.Augmentation`.
        resize: length in pixels to which the shorter side of an image is scaled before ``crop`` cuts ``image_size``
            pixels out of it. None scales it to 8/7 of ``image_size`` (256 for 224), which recognises birds of
            validation classes better than the largest square, ``resize`` = ``image_size``, does.
        random_weights: use random weights with the architecture of ``config.json``.
        unit_regions: divide the regions of an image by their root mean square length.
        allow_pickle: also load ``pytorch_model.bin``, a format that can run a stranger's code.
        revision: branch, tag or commit on the hub.

    Raises:
        ArgumentError: the source cannot be found, or is not a vision model, or a size does not fit.
        ModelFileError: there are no safetensors weights, or they are damaged.
        MissingPackageError: transformers is not installed.
    """
    if resize is not None and framing == "whole":
        raise ArgumentError(f"resize: expected none with whole images, got {resize}; set framing to crop")
    source = check_source(source, "config.json and model.safetensors", DEFAULT_SOURCE)
    config = _vision_config(source, revision)
    size, mean, deviation = _preprocessing(config, source, revision)
    image_size = image_size or size
    weights = None if random_weights else _weights_file(source, revision, allow_pickle)
    make = partial(
        ImageBackbone,
        config.to_diff_dict() | {"model_type": config.model_type},
        image_size,
        resize=resize or (math.ceil(image_size * 8 / 7) if framing == "crop" else None),
        mean=mean,
        deviation=deviation,
        unit_regions=unit_regions,
        pooling=pooling,
        framing=framing,
        trainable_stages=trainable_stages,
    )
    if weights is not None and weights.suffix != ".bin":
        stored = bytes_of_weights(weights, lambda name: _find_file(source, name, revision))
        check_network_size(lambda: [make()], stored, weights)
    backbone = make()
    backbone.source = source + (" (random weights)" if random_weights else "")
    backbone.revision = _commit(source, revision) or revision or ""
    if weights is not None:
        _load_weights(backbone, weights, source, revision)
    return backbone


def _preprocessing(
    config: "PretrainedConfig", source: str, revision: str | None
) -> tuple[int, Sequence[float], Sequence[float]]:
    """Return the size of images, and mean and deviation of their colours, for which a network was trained."""
    path = _find_file(source, "preprocessor_config.json", revision)
    content = {} if path is None else read_json(path, ModelFileError, "the preprocessing of images as JSON")
    of_timm = getattr(config, "pretrained_cfg", None) or {}
    # DINOv2 was trained at 224 pixels and last at 518, which its configuration gives, at six times the cost.
    crop = content.get("crop_size")
    crop = crop.get("height") if isinstance(crop, dict) else crop
    size = crop or getattr(config, "image_size", None) or of_timm.get("input_size", [224])[-1]
    mean = content.get("image_mean") or of_timm.get("mean", IMAGENET_MEAN)
    return int(size), mean, content.get("image_std") or of_timm.get("std", IMAGENET_DEVIATION)


def _commit(source: str, revision: str | None) -> str | None:
    """Return the commit of a model of the hub, as far as the local cache records it; None for a directory."""
    config = None if Path(source).is_dir() else _find_file(source, "config.json", revision)
    # The cache names its files models--<owner>--<name>/snapshots/<commit>/<file>.
    return config.parent.name if config is not None and config.parent.parent.name == "snapshots" else None


def _vision_config(source: str, revision: str | None) -> "PretrainedConfig":
    """Return the configuration of the model, or of the vision part of a model of images and text."""
    with needs("images", "trained backbones"):
        from transformers import CONFIG_MAPPING  # noqa: PLC0415 - it takes three seconds, and features do not need it

    path = _find_file(source, "config.json", revision)
    if path is None:
        raise ArgumentError(
            f"source: expected config.json and model.safetensors in {source}, found no config.json; check the source"
        )
    content = read_json(path, ModelFileError, "a configuration of transformers", "check the source")
    content = _tower(content) | ({"model_type": TIMM} if "architecture" in content else {})
    if (found := content.get("model_type")) not in VISION_TYPES:
        raise ArgumentError(
            f"source: expected a vision model, got {str(found)[:60]!r} in {source}; choose another source, whose type "
            f"is one of {', '.join(VISION_TYPES)}"
        )
    if found == TIMM:
        _check_timm(content["architecture"])
    kind = CONFIG_MAPPING[found]
    with reading(path, "a configuration of transformers", ModelFileError, "check the source"), quiet():
        known = known_part(content, kind) | {name: content[name] for name in RECORDED if name in content}
        config: PretrainedConfig = kind.from_dict(known)
    return config


def _tower(content: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration of the vision part of a model of images and text, and that of another model as it is."""
    parts = [content.get(name) for name in ("vision_config", "vision_config_dict")]
    if all(part is None for part in parts) and content.get("model_type") not in TOWERS:
        return content
    vision = {name: value for part in parts if isinstance(part, dict) for name, value in part.items()}
    if "projection_dim" in content:  # the dimensions of the joint space are those of the whole model
        vision["projection_dim"] = content["projection_dim"]
    return {"model_type": TOWERS.get(str(content.get("model_type")))} | vision


def _check_timm(architecture: str) -> None:
    """Refuse a network of timm where that package, or the torchvision that it needs, cannot be used."""
    purpose = f"source: {architecture}, a network of timm"
    with needs("timm", purpose):
        try:
            import timm  # noqa: F401, PLC0415 - an optional package, which transformers uses
        except RuntimeError as error:
            raise MissingPackageError(
                f"{purpose}: expected a torchvision that fits torch {torch.__version__}, got one that cannot be "
                f"imported ({one_line(error)}); install both from one index"
            ) from error


def _weights_file(source: str, revision: str | None, allow_pickle: bool) -> Path:
    """Return the path of the weights, or of the list of their parts; it is checked that they lead nowhere else."""
    names = [*SAFE_FILES, *(["pytorch_model.bin"] if allow_pickle else [])]
    # A cache without network has one of the files and may have no record of the others.
    path = next(
        (path for find in (cached_file, _find_file) for name in names if (path := find(source, name, revision))), None
    )
    if path is None:
        option = "allow_pickle (--backbone.allow-pickle true)"
        hint = "" if allow_pickle else f"; pickled weights are only loaded with {option}"
        raise ModelFileError(f"source: expected model.safetensors in {source}, found none{hint}")
    files_of_weights(path)
    return path


def _load_weights(backbone: ImageBackbone, path: Path, source: str, revision: str | None) -> None:
    kind: Any = type(backbone.network)
    with reading(path, "the weights of a vision model", ModelFileError, "get the file again"), quiet():
        network, report = kind.from_pretrained(
            # A path in the cache is enough, except where the weights are in several files.
            path.parent if Path(source).is_dir() or path.suffix != ".json" else source,
            config=backbone.config,
            revision=revision,
            use_safetensors=path.suffix != ".bin",
            local_files_only=Path(source).is_dir(),
            trust_remote_code=False,
            output_loading_info=True,
            dtype=torch.float32,
        )
    # The pooler is not used. Any other missing weight would stay random in a backbone that counts as trained.
    if missing := sorted(name for name in report["missing_keys"] if "pooler" not in name):
        raise ModelFileError(
            f"{path}: lacks {len(missing)} weights of its own architecture, such as {missing[0]!r}; get the file again"
        )
    backbone.network = network.to(memory_format=torch.channels_last)
    backbone.freeze(False)


def _find_file(source: str, name: str, revision: str | None) -> Path | None:
    """Return the path of a file of a model; None where the model exists and has no such file.

    Raises:
        ArgumentError: there is no such model, or the hub cannot be reached and the cache does not have the answer, so
            that a machine without network would use other weights or other colours than one with network.
    """
    cached = cached_file(source, name, revision)
    if cached is not None or Path(source).is_dir():
        return cached
    with needs("images", "models of the hub"):
        from huggingface_hub import errors, hf_hub_download, try_to_load_from_cache  # noqa: PLC0415 - it takes a second

    try:
        if try_to_load_from_cache(source, name, revision=revision) is not None:
            return None  # the cache also records which files a model lacks
        with quiet():
            return Path(hf_hub_download(source, name, revision=revision, local_files_only=not hub_answers()))
    except errors.LocalEntryNotFoundError as error:
        raise ArgumentError(
            f"source: {source!r} is no directory, its {name} is not in the local cache, and the hub cannot be reached; "
            f"give a directory that holds config.json and model.safetensors (--backbone pretrained --backbone.source "
            f"DIR), run 'hf download {source}' where there is a network, or train a small network from scratch "
            f"(--backbone small_resnet)"
        ) from error
    except errors.EntryNotFoundError:
        return None
    except errors.RevisionNotFoundError as error:
        raise unknown_revision(source, revision) from error
    except errors.RepositoryNotFoundError as error:
        raise ArgumentError(
            f"source: expected a folder or a model of the hub, got {source!r}, which the hub does not have or does not "
            f"show without 'hf auth login'; check its spelling"
        ) from error
    except (errors.HfHubHTTPError, OSError) as error:
        raise ArgumentError(
            f"source: expected a folder or a model of the hub, got an error for {source!r} ({one_line(error)}); try it "
            f"again, or give a folder"
        ) from error


def unknown_revision(source: str, revision: str | None) -> ArgumentError:
    """Return the error of a revision that a model of the hub does not have."""
    return ArgumentError(
        f"revision: expected a branch, tag or commit of {source}, got {revision!r}; correct it, or leave it out"
    )


def hub_answers() -> bool:
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
