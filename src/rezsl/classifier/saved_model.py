"""A trained model on disk: ``model.safetensors`` (all tensors) and ``model.json`` (everything else). Never a pickle."""

from inspect import isabstract
from pathlib import Path
from typing import Any

import torch

from rezsl.classifier.zero_shot_classifier import ZeroShotClassifier
from rezsl.errors import DataError, ModelFileError
from rezsl.files import read_json, read_tensors, sha256, tensor_bytes, write_atomically, write_json
from rezsl.models import SemanticModel
from rezsl.regions import Backbone
from rezsl.semantics import pack_semantics, unpack_semantics

FORMAT = 1
"""Raised when older versions could not read what is written any more."""


def save_model(model: ZeroShotClassifier, directory: str | Path) -> None:
    """Write a classifier into a directory (made if need be), replacing an earlier one there.

    The JSON file carries a checksum of the tensors and is written last: a pair that was cut off between the two is
    recognised as such.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    tensors, names = pack_semantics(model.semantics)
    weights = tensor_bytes(model.state_dict() | tensors)
    description = {
        "format": FORMAT,
        "backbone": {"class": type(model.backbone).__name__, "arguments": model.backbone.arguments},
        "network": {"class": type(model.network).__name__, "options": model.network.options},
        "semantics": names,
        "seen_classes": model.seen_classes,
        "gamma": model.gamma,
        "scale": model.scale,
        "protocol": model.protocol,
        "sha256": sha256(weights),
    }
    write_atomically(directory / "model.safetensors", weights)
    write_json(directory / "model.json", description)


def load_model(directory: str | Path) -> ZeroShotClassifier:
    """Read a classifier, in evaluation mode, on the CPU.

    The classes of backbone and model are found by name among those that are imported. Nothing is ever imported because
    a file names it, so the module of a class of your own must be imported before.

    Args:
        directory: a run directory, or any other that :func:`save_model` wrote.

    Raises:
        ModelFileError: a file is missing, damaged, does not belong to the other, or was written by a newer version.
    """
    directory = Path(directory)
    description = _read_description(directory / "model.json")
    path = directory / "model.safetensors"
    remedy = "copy both files of the model again"
    tensors = read_tensors(path, ModelFileError, description.get("sha256", ""), "the tensors of the model", remedy)
    try:
        semantics = unpack_semantics(tensors, description["semantics"])
        backbone_class = _class_named(directory, description["backbone"]["class"], Backbone)
        network_class = _class_named(directory, description["network"]["class"], SemanticModel)
        # The random weights that are replaced at once are no business of the caller's generators.
        with torch.random.fork_rng(devices=()):
            backbone = backbone_class(**description["backbone"]["arguments"])
            model = ZeroShotClassifier(
                backbone=backbone,
                network=network_class(backbone.region_dim, semantics, **description["network"]["options"]),
                semantics=semantics,
                seen_classes=description["seen_classes"],
                gamma=description["gamma"],
                scale=description["scale"],
                protocol=description.get("protocol", "honest"),
            )
        model.load_state_dict({name: part for name, part in tensors.items() if not name.startswith("semantics.")})
    except ModelFileError:
        raise
    except (DataError, KeyError, TypeError, ValueError, RuntimeError) as error:
        detail = " ".join(str(error).split())[:200]
        raise ModelFileError(f"{directory}: not a readable model ({type(error).__name__}: {detail})") from error
    return model.eval()


def _read_description(path: Path) -> dict[str, Any]:
    expected, remedy = "the description of a rezsl model", "give a directory that holds a finished run"
    description = read_json(path, ModelFileError, expected, remedy)
    if type(description.get("format")) is not int or description["format"] < 1:
        raise ModelFileError(f"{path}: expected {expected}, got other JSON; {remedy}")
    if description["format"] > FORMAT:
        raise ModelFileError(
            f"{path}: written by a newer rezsl (format {description['format']}; this one reads up to {FORMAT}); "
            f"upgrade rezsl"
        )
    return description


def _class_named(directory: Path, name: str, base: Any) -> Any:
    """Return the class of that name among the imported subclasses; of several the one that was defined last."""
    found, remaining = None, [base]
    while remaining:
        candidate = remaining.pop(0)
        found = candidate if candidate.__name__ == name else found
        remaining += candidate.__subclasses__()
    if found is None or isabstract(found):
        raise ModelFileError(
            f"{directory}: unknown {base.__name__} class {name!r}; if it is your own, import its module first"
        )
    return found
