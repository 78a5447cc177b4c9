"""Which configurations of a vision network are built: those of listed types, with plain values only.

A configuration may come from a stranger, in ``model.json`` or ``config.json``. transformers has model types whose
configuration names another model, which is fetched from a network address or brings a Python file that is run. So only
the types listed here are built, and only from values that shape a network.
"""

import inspect
import re
from collections.abc import Mapping
from typing import Any

from rezsl.errors import ArgumentError, suggestion
from rezsl.weights import check_layers

TIMM = "timm_wrapper"
"""The model type of networks of timm in transformers, which their own files leave out."""

VISION_TYPES = (
    "aimv2_vision_model", "beit", "bit", "chinese_clip_vision_model", "clip_vision_model", "convnext", "convnextv2",
    "cvt", "data2vec-vision", "deit", "dinov2", "dinov2_with_registers", "dinov3_convnext", "dinov3_vit",
    "efficientnet", "focalnet", "hiera", "ijepa", "levit", "mlcd_vision_model", "mobilenet_v1", "mobilenet_v2",
    "mobilevit", "poolformer", "pvt", "pvt_v2", "regnet", "resnet", "siglip_vision_model", "swiftformer", "swin",
    "swinv2", TIMM, "vit", "vit_msn",
)  # fmt: skip
"""The model types of transformers that return a feature map or tokens of an image, and load nothing else."""

TOWERS = {
    "aimv2": "aimv2_vision_model",
    "chinese_clip": "chinese_clip_vision_model",
    "clip": "clip_vision_model",
    "siglip": "siglip_vision_model",
}
"""The vision parts of models of images and text."""

OF_TIMM = ("architecture", "do_pooling", "initializer_range", "model_args")

FORBIDDEN = re.compile(
    r"auto_map|trust_remote_code|code_revision|custom_\w+|quantization_config|_?attn_implementation\w*|"
    r"(use_)?(timm_|pretrained_)?backbone\w*|checkpoint\w*|base_model\w*"
)
"""Keys by which a configuration asks for other models or for code; no configuration that rezsl writes has them."""

MOST, MOST_ENTRIES = 1 << 20, 1024
"""Limits of a number and of a list, far above those of every published network."""

LAYERS = ("depths", "depth", "num_hidden_layers", "num_layers", "num_block_repeats")


def check_config(config: Mapping[str, Any]) -> None:
    """Check the type of a configuration, and that it asks for no other model, no code and no endless network.

    Raises:
        ArgumentError: it does.
    """
    kind = config.get("model_type")
    if kind not in VISION_TYPES:
        near = suggestion(kind, VISION_TYPES) if isinstance(kind, str) else ""
        raise ArgumentError(
            f"config: expected a vision model of a known type, such as resnet, vit or dinov2, got {str(kind)[:60]!r}"
            f"{near}; choose another network"
        )
    if forbidden := sorted(name for name in config if FORBIDDEN.fullmatch(name)):
        raise ArgumentError(
            f"config: expected the sizes of a network, got the key {forbidden[0][:60]!r}, which asks for another model "
            f"or for code; do not use this file unless you know who wrote it"
        )
    check_layers({name: config.get(name) for name in LAYERS}, ArgumentError, "config")


def known_part(config: Mapping[str, Any], kind: type) -> dict[str, Any]:
    """Return the entries of a configuration that shape its network: those that its class of transformers has.

    Everything else, such as the names of labels, is left out.

    Raises:
        ArgumentError: a value is nested, very large, or a text that is no name.
    """
    from transformers import PretrainedConfig  # noqa: PLC0415 - it takes seconds

    common = {*inspect.signature(PretrainedConfig).parameters}
    own = {name for name in inspect.signature(kind).parameters if name not in common and not name.startswith("_")}
    part = {name: value for name, value in config.items() if name in own or name in ("out_features", "out_indices")}
    for name, value in part.items():
        if name in ("rope_parameters", "model_args") and isinstance(value, dict):
            for inner, number in value.items():
                _check_value(f"{name}.{inner}", number, texts=inner in ("rope_type", "global_pool"))
        else:
            _check_value(name, value)
    return part


def _check_value(name: str, value: Any, depth: int = 0, texts: bool = True) -> None:
    """Refuse what is no number, truth value or short name, nor a list of them."""
    if isinstance(value, list | tuple) and depth < 2 and len(value) <= MOST_ENTRIES:
        for entry in value:
            _check_value(name, entry, depth + 1, texts)
        return
    if isinstance(value, str):
        valid = texts and re.fullmatch(r"\w[\w.-]{0,63}", value, re.ASCII) is not None
    else:
        valid = value is None or (isinstance(value, int | float) and abs(value) <= MOST)
    if not valid:
        raise ArgumentError(
            f"config: expected a number of at most {MOST:,}, a name, or a list of them in {name[:60]!r}, got "
            f"{str(value)[:60]!r}; correct it, or choose another network"
        )
