"""A benchmark without its images: what a store of regions keeps beside them, to be a benchmark by itself."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from rezsl.data import Benchmark, Crop, RegionOrigin, Split
from rezsl.errors import DataError
from rezsl.files import create_atomically
from rezsl.semantics import ClassSemantics

TENSORS, DESCRIPTION = "dataset.safetensors", "dataset.json"


def input_names(inputs: Tensor | Sequence[Path | Crop]) -> list[Any]:
    """What tells one image from another, as JSON values, in order.

    Files have their name below the folder common to all (a data set may move), size in bytes, and box; decoded images
    a sha256.

    Raises:
        DataError: a file is missing.
    """
    if isinstance(inputs, Tensor):
        return [hashlib.sha256(image.contiguous().numpy().tobytes()).hexdigest() for image in inputs]
    paths = [Path(os.path.abspath(source.path if isinstance(source, Crop) else source)) for source in inputs]
    common = os.path.commonpath([path.parent for path in paths])
    boxes = [list(source.box) if isinstance(source, Crop) else [] for source in inputs]
    try:
        return [
            [path.relative_to(common).as_posix(), path.stat().st_size, *box]
            for path, box in zip(paths, boxes, strict=True)
        ]
    except FileNotFoundError as error:
        raise DataError(f"{error.filename}: no such image") from None


def dataset_sums(benchmark: Benchmark, names: Sequence[Any]) -> dict[str, str]:
    """A sha256 of each part of a benchmark but its name, notes and values of inputs."""
    semantics, split = benchmark.semantics, benchmark.split
    rows = [semantics.classes, semantics.attributes, semantics.groups]
    return {
        "files": _sum(names),
        "labels": _sum(benchmark.labels),
        "semantics": _sum(rows, semantics.values),
        "word_vectors": _sum(semantics.word_vectors),
        "places": _sum(semantics.places),
        "split": _sum(*split.parts().values()),
        "groups": _sum(benchmark.groups),
    }


def write_dataset(root: Path, benchmark: Benchmark, names: Sequence[Any]) -> None:
    """Keep a benchmark without its inputs; files that are there already are left as they are."""
    semantics = benchmark.semantics
    tensors = {
        "labels": benchmark.labels,
        "groups": benchmark.groups,
        "semantics.values": semantics.values,
        "semantics.word_vectors": semantics.word_vectors,
        "semantics.places": semantics.places,
        **{f"split.{name}": index for name, index in benchmark.split.parts().items()},
    }
    description = {
        "name": benchmark.name,
        "notes": benchmark.notes,
        "classes": semantics.classes,
        "attributes": semantics.attributes,
        "attribute_groups": semantics.groups,
        "inputs": names,
    }
    kept = {name: tensor.contiguous().clone() for name, tensor in tensors.items() if tensor is not None}
    create_atomically(root / TENSORS, save(kept))
    create_atomically(root / DESCRIPTION, json.dumps(description, ensure_ascii=False) + "\n")


def read_dataset(root: Path, inputs: Tensor, origin: RegionOrigin, expected: dict[str, str]) -> Benchmark:
    """The benchmark again, with regions for inputs.

    Raises:
        DataError: a file is missing, damaged, or not the one that the manifest tells of.
    """
    try:
        tensors = load((root / TENSORS).read_bytes())
        description = json.loads((root / DESCRIPTION).read_text(encoding="utf-8"))
        groups = description["attribute_groups"]
        benchmark = Benchmark(
            name=description["name"],
            inputs=inputs,
            labels=tensors["labels"],
            semantics=ClassSemantics(
                tuple(description["classes"]),
                tuple(description["attributes"]),
                tensors["semantics.values"],
                tensors.get("semantics.word_vectors"),
                tuple(groups) if groups is not None else None,
                tensors.get("semantics.places"),
            ),
            split=Split(**{name: tensors[f"split.{name}"] for name in Split.__dataclass_fields__}),
            groups=tensors.get("groups"),
            notes=tuple(description["notes"]),
            regions=origin,
        )
        sums = dataset_sums(benchmark, description["inputs"])
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror}); run the same rezsl extract") from error
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        detail = " ".join(str(error).split())[:160]
        raise DataError(
            f"{root}: {TENSORS} and {DESCRIPTION} are not readable as a benchmark ({type(error).__name__}: {detail}); "
            f"remove both and run the same rezsl extract"
        ) from error
    if wrong := [name for name in sums if sums[name] != expected.get(name)]:
        raise DataError(
            f"{root}: {TENSORS} and {DESCRIPTION} differ from the manifest in {', '.join(wrong)}; "
            f"remove both and run the same rezsl extract"
        )
    return benchmark


def _sum(*parts: Any) -> str:
    checksum = hashlib.sha256()
    for part in parts:
        if isinstance(part, Tensor):
            checksum.update(f"{part.dtype} {list(part.shape)}".encode())
            checksum.update(part.contiguous().numpy().tobytes())
        else:
            checksum.update(json.dumps(part, ensure_ascii=False).encode())
    return checksum.hexdigest()
