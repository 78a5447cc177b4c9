"""The checksums by which records recognise a benchmark."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from rezsl.data._benchmark import Benchmark
from rezsl.data._images import Crop, file_of
from rezsl.errors import DataError
from rezsl.files import fingerprint
from rezsl.semantics import pack_semantics


def identify_inputs(inputs: Tensor | Sequence[Path | Crop]) -> list[Any]:
    """Return values of JSON that identify the inputs, in their order.

    A file is identified by its name below the folder that contains all files, its size in bytes and its box, because
    reading every pixel would take as long as an epoch, and because the folder may move. Each decoded image has a
    sha256, and features have one together.

    Raises:
        DataError: a file is missing.
    """
    if isinstance(inputs, Tensor):
        return [fingerprint(inputs)] if inputs.is_floating_point() else [fingerprint(image) for image in inputs]
    # Links are not followed, because a data set may be a folder of links to files in many places.
    paths = [Path(os.path.abspath(file_of(source))) for source in inputs]
    common = os.path.commonpath([path.parent for path in paths])
    boxes = [list(source.box) if isinstance(source, Crop) else [] for source in inputs]
    try:
        return [
            [path.relative_to(common).as_posix(), path.stat().st_size, *box]
            for path, box in zip(paths, boxes, strict=True)
        ]
    except OSError as error:
        raise DataError(
            f"{error.filename}: no such image ({error.strerror}); restore it, or read the data anew"
        ) from error


def benchmark_checksums(data: Benchmark, inputs: Sequence[Any] | None = None) -> dict[str, str]:
    """Return a sha256 of each part of a benchmark, apart from its name and notes.

    Args:
        data: the benchmark.
        inputs: the result of :func:`identify_inputs`; None computes it. A store of regions has a checksum of its own,
            because reading all regions could take minutes.
    """
    if inputs is None:
        inputs = identify_inputs(data.inputs) if data.regions is None else [data.regions.sha256]
    tensors, names = pack_semantics(data.semantics)
    return {
        "inputs": fingerprint(inputs),
        "labels": fingerprint(data.labels),
        "semantics": fingerprint(names, tensors["semantics.values"]),
        "word_vectors": fingerprint(tensors.get("semantics.word_vectors")),
        "places": fingerprint(tensors.get("semantics.places")),
        "split": fingerprint(*data.split.parts().values()),
        "groups": fingerprint(data.groups),
    }


def benchmark_fingerprint(data: Benchmark) -> dict[str, Any]:
    """Return the identity of a benchmark for the record of a run: name, sizes, notes and checksums.

    Raises:
        DataError: an image file is missing.
    """
    checksums = benchmark_checksums(data)
    return {
        "name": data.name,
        "kind": data.kind,
        "inputs": len(data.labels),
        "seen_classes": len(data.seen_classes),
        "unseen_classes": len(data.unseen_classes),
        "attributes": len(data.semantics.attributes),
        "sha256": fingerprint(checksums),
        "checksums": checksums,
        "notes": list(data.notes),
    }
