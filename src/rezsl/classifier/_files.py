"""Saving and loading a trained model, and joining it with the backbone of a store of regions."""

from collections.abc import Sequence
from inspect import isabstract
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import rezsl.generators  # noqa: F401 - a saved model may be one of its classes
from rezsl.classifier._classifier import ZeroShotClassifier
from rezsl.classifier._familiarity import Familiarity
from rezsl.classifier._hub import found_directory
from rezsl.data import Benchmark
from rezsl.errors import ArgumentError, DataError, MissingPackageError, ModelFileError
from rezsl.files import check_folder, local_path, one_line, read_json, read_tensors, write_json, write_tensors
from rezsl.models import SemanticModel
from rezsl.records import differences
from rezsl.regions import (
    IRRELEVANT,
    Backbone,
    FeatureScaler,
    ScaledImageBackbone,
    find_cached_regions,
    load_store_backbone,
    read_manifest,
)
from rezsl.semantics import pack_semantics, unpack_semantics
from rezsl.weights import check_network_size

OPTIONS = ("seen_classes", "gamma", "scale", "protocol", "centered", "varied_only", "temperature")
"""The arguments of a classifier that are plain JSON values."""

FORMAT = 4
"""The number of the file format, which is raised with every change that other versions of rezsl cannot read."""


def save_model(model: ZeroShotClassifier, directory: str | Path) -> None:
    """Write a classifier into a directory, which is created if necessary; an earlier model there is replaced.

    ``model.safetensors`` contains all tensors, ``model.json`` all other facts and a checksum of the tensors; it is
    written last, so that an incomplete pair is recognised. No file is a pickle, so loading never runs code from a file.
    """
    directory = local_path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    tensors, names = pack_semantics(model.semantics)
    checksum = write_tensors(directory / "model.safetensors", model.state_dict() | tensors)
    description = {
        "format": FORMAT,
        "backbone": {"class": type(model.backbone).__name__, "arguments": model.backbone.arguments},
        "network": {"class": type(model.network).__name__, "options": model.network.options},
        "semantics": names,
        **_options(model),
        "sha256": checksum,
    }
    write_json(directory / "model.json", description)
    model.directory = directory


def load_model(directory: str | Path, revision: str | None = None) -> ZeroShotClassifier:
    """Read a classifier, in evaluation mode, on the CPU.

    The directory is data: no code of it runs, and a local one asks no network address. The classes of backbone and
    model are found by name among the imported classes. A file never causes an import, so the module of a class of your
    own must be imported before. Networks of transformers are built from the types that rezsl lists, and from their
    sizes only.

    Args:
        directory: a run directory, or another directory that :func:`save_model` wrote; or the id of a model on the hub
            such as ``user/signs``, where nothing here has that name. Only its two files of the model and its records
            are downloaded, into the cache of the hub.
        revision: branch, tag or commit of a model on the hub.

    Raises:
        ArgumentError: the hub has no such revision.
        ModelFileError: a file is missing or damaged, the two files do not belong together, another version wrote
            them, or a class is not imported.
    """
    directory = found_directory(directory, revision)
    check_folder(directory, "a trained model", ModelFileError)
    description = _read_description(directory / "model.json")
    path = directory / "model.safetensors"
    remedy = "copy both files of the model again"
    tensors = read_tensors(path, ModelFileError, str(description.get("sha256", "")), "the tensors of the model", remedy)
    try:
        semantics = unpack_semantics(tensors, description["semantics"])
        backbone_class = _class_named(directory, description["backbone"]["class"], Backbone)
        network_class = _class_named(directory, description["network"]["class"], SemanticModel)

        def parts() -> tuple[Backbone, SemanticModel]:
            backbone = backbone_class(**description["backbone"]["arguments"])
            return backbone, network_class(backbone.region_dim, semantics, **description["network"]["options"])

        # The initial weights are replaced at once, so drawing them must not change the caller's random numbers.
        with torch.random.fork_rng(devices=()):
            check_network_size(parts, sum(part.numel() for part in tensors.values()), path)
            backbone, network = parts()
        options = {name: description[name] for name in OPTIONS} | {"familiarity": _familiarity(tensors)}
        model = ZeroShotClassifier(backbone, network, semantics, **options)
        model.load_state_dict({name: part for name, part in tensors.items() if not name.startswith("semantics.")})
    except (ModelFileError, MissingPackageError):
        raise
    except Exception as error:  # a description may hold anything, so its network may fail in any way
        raise ModelFileError(
            f"{directory}: not a readable model ({one_line(error)}); give a directory that holds a finished run"
        ) from error
    model.directory = directory
    return model.eval()


def _familiarity(tensors: dict[str, Tensor]) -> Familiarity | None:
    own = {name.removeprefix("familiarity."): part for name, part in tensors.items() if name.startswith("familiarity.")}
    return Familiarity.from_tensors(own) if own else None


def _options(model: ZeroShotClassifier) -> dict[str, Any]:
    return {name: getattr(model, name) for name in OPTIONS}


def _read_description(path: Path) -> dict[str, Any]:
    expected, remedy = "the description of a rezsl model", "give a directory that holds a finished run"
    description = read_json(path, ModelFileError, expected, remedy)
    if type(description.get("format")) is not int or description["format"] < 1:
        raise ModelFileError(f"{path}: expected {expected}, got other JSON; {remedy}")
    if description["format"] != FORMAT:
        age, remedy = ("a newer", "upgrade rezsl") if description["format"] > FORMAT else ("an earlier", "train again")
        raise ModelFileError(
            f"{path}: written by {age} rezsl (format {description['format']}; this one reads format {FORMAT}); {remedy}"
        )
    return description


def _class_named(directory: Path, name: str, base: Any) -> Any:
    """Return the imported subclass of that name; if the class was defined again, as in a notebook, the last one."""
    classes = [base]
    for candidate in classes:  # the list grows by subclasses of subclasses
        classes += candidate.__subclasses__()
    found = [candidate for candidate in classes if candidate.__name__ == name and not isabstract(candidate)]
    places = dict.fromkeys(f"{candidate.__module__}.{candidate.__qualname__}" for candidate in found)
    if not found:
        raise ModelFileError(
            f"{directory}: unknown {base.__name__} class {name!r}; if it is your own, import its module first, on the "
            f"command line with --import MODULE"
        )
    if len(places) > 1:
        raise ModelFileError(
            f"{directory}: expected one imported class of the name {name!r}, got {', '.join(places)}; rename yours"
        )
    return found[-1]


def model_of_images(model: ZeroShotClassifier, store: str | Path) -> ZeroShotClassifier:
    """Return a model that was trained on a store of regions, preceded by the store's backbone, in evaluation mode.

    Once saved with :func:`rezsl.save_model`, it does not need the store. :func:`on_cached_regions` is the way back.

    Args:
        model: the result of :func:`rezsl.load_model`.
        store: directory of the store, or of another store that was extracted with the same backbone.

    Raises:
        ArgumentError: the model was not trained on a store.
        DataError: the store has another backbone, or is damaged.
    """
    scaler, manifest = model.backbone, read_manifest(local_path(store))
    if not isinstance(scaler, FeatureScaler) or scaler.regions is None:
        raise ArgumentError("model: expected one that was trained on a store of regions, got another; use it as it is")
    trained_on, found = scaler.regions, {"backbone": manifest.backbone, "dtype": manifest.dtype}
    if changes := differences(trained_on, found, IRRELEVANT):
        raise DataError(
            f"{store}: expected a store of regions of {trained_on['backbone']['source']}, which the model was trained "
            f"on, got one that differs in {'; '.join(changes[:3])}; give a store of that backbone"
        )
    with torch.random.fork_rng(devices=()):
        joined = ScaledImageBackbone.join(load_store_backbone(store), scaler, manifest.dtype)
    return ZeroShotClassifier(
        joined, model.network, model.semantics, **_options(model), familiarity=model.familiarity
    ).eval()


def on_cached_regions(
    model: ZeroShotClassifier, benchmark: Benchmark, caches: Sequence[str | Path]
) -> tuple[ZeroShotClassifier, Benchmark]:
    """Return a model and a benchmark of photos without the model's network, where a cache has what it computes of them.

    The regions are those that :func:`rezsl.fit` extracted, so that a test takes seconds. They are found by the content
    of the photos and of the network; the predictions are those of the given model.

    Args:
        model: a trained model of photos.
        benchmark: photos, such as those that it was trained on.
        caches: directories, such as :func:`rezsl.regions.cache_beside` a run and :func:`rezsl.regions.user_cache`.

    Returns:
        The arguments themselves where the model has no frozen network, or no cache has the regions of all photos.
    """
    model.check_values(benchmark)
    joined = model.backbone
    if not isinstance(joined, ScaledImageBackbone) or benchmark.kind != "images":
        return model, benchmark
    with torch.random.fork_rng(devices=()):
        backbone, scaler = joined.apart()
    found = find_cached_regions(benchmark, backbone, [local_path(cache) for cache in caches])
    if found is None:
        return model, benchmark
    alone = ZeroShotClassifier(scaler, model.network, model.semantics, **_options(model), familiarity=model.familiarity)
    return alone.train(model.training), found
