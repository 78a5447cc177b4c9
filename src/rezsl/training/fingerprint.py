"""What a record knows a benchmark by."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rezsl.data import Benchmark, Crop
from rezsl.errors import DataError

SLICE_BYTES = 1 << 24
"""Features may lie in a file larger than memory: they are read in slices of 16 MiB."""


def fingerprint(data: Benchmark) -> dict[str, Any]:
    """What identifies a benchmark in a record: its size, and a checksum of everything in it.

    Image files go into it by name, relative to the folder that holds them all, and size: reading every pixel would take
    as long as an epoch, and a folder may move between two parts of a run.

    Raises:
        DataError: an image file is missing.
    """
    semantics = data.semantics
    contents: list[Iterable[bytes | memoryview]] = [_inputs(data)]
    contents += map(_tensor, (data.labels, semantics.values, *data.split.parts().values()))
    for tensor in (semantics.word_vectors, semantics.places, data.groups):
        contents.append(_tensor(tensor) if tensor is not None else [b"none\0"])
    contents.append(name.encode() + b"\0" for name in (*semantics.classes, *semantics.attributes))
    checksum = hashlib.sha256()
    for part in chain.from_iterable(contents):
        checksum.update(part)
    return {
        "name": data.name,
        "kind": data.kind,
        "inputs": len(data.labels),
        "seen_classes": len(data.seen_classes),
        "unseen_classes": len(data.unseen_classes),
        "attributes": len(semantics.attributes),
        "sha256": checksum.hexdigest(),
        "notes": list(data.notes),
    }


def _inputs(data: Benchmark) -> Iterable[bytes | memoryview]:
    if data.regions is not None:
        # A store has checksums of its own, and may hold more than can be read in minutes.
        return [data.regions.sha256.encode()]
    return _tensor(data.inputs) if isinstance(data.inputs, Tensor) else _files(data.inputs)


def _tensor(tensor: Tensor) -> Iterator[bytes | memoryview]:
    yield f"{tensor.dtype} {tuple(tensor.shape)}\0".encode()
    row_bytes = tensor.nbytes // max(1, len(tensor))
    for rows in tensor.split(max(1, SLICE_BYTES // max(1, row_bytes))):
        # As bytes: NumPy has no bfloat16. Of nothing there are none, and such a tensor may have any stride.
        if rows.numel():
            yield rows.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data


def _files(inputs: Sequence[Path | Crop]) -> Iterator[bytes]:
    # Absolute, but with links as they are: a data set may be a folder of links to files all over a disk.
    paths = [(item.path if isinstance(item, Crop) else item).absolute() for item in inputs]
    parent = os.path.commonpath([path.parent for path in paths])
    for path, item in zip(paths, inputs, strict=True):
        try:
            size = path.stat().st_size
        except OSError as error:
            raise DataError(f"{path}: no such image ({error.strerror}); restore it, or read the data anew") from error
        box = item.box if isinstance(item, Crop) else None
        yield f"{path.relative_to(parent).as_posix()} {size} {box}\0".encode()
