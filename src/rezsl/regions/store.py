"""Stores of regions: a benchmark without its images, whose regions are mapped from one file on the disk."""

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.data import Benchmark, RegionOrigin, Split, benchmark_checksums, reader
from rezsl.errors import DataError
from rezsl.files import create_atomically, fingerprint, json_text, read_json, read_tensors, reading, tensor_bytes
from rezsl.regions._manifest import (
    FEATURES,
    RegionManifest,
    check_size,
    read_manifest,
    read_record,
    verify_chunks,
)
from rezsl.regions.image_backbone import ImageBackbone
from rezsl.semantics import pack_semantics, unpack_semantics

BACKBONE, TENSORS, DESCRIPTION = "backbone.safetensors", "dataset.safetensors", "dataset.json"
AGAIN = "remove the file and run the same rezsl extract"


@reader("regions")
def load_region_store(root: str | Path, verify: bool = False) -> Benchmark:
    """Return the benchmark whose regions ``[N, R, D]`` ``rezsl extract`` has written.

    The regions stay on the disk in half precision and are mapped into memory, so that only those of a batch are read.
    The file must stay in its place as long as the benchmark is used.

    Args:
        root: directory of the store.
        verify: read all regions once and compare them with their checksums.

    Raises:
        DataError: there is no such store, or it is incomplete, cut off or damaged.
    """
    root = Path(root)
    manifest = read_manifest(root)
    check_size(root, manifest)
    sums = [read_record(root, manifest, chunk) for chunk in range(manifest.chunks)]
    if missing := sums.count(None):
        raise DataError(
            f"{root}: expected {manifest.chunks} finished chunks of {manifest.chunk} images, {missing} are missing; "
            f"run the same rezsl extract (of every shard) until it has finished"
        )
    if verify:
        verify_chunks(root, manifest, sums)
    identity = fingerprint(manifest.to_json(), sums)
    origin = RegionOrigin(root.resolve(), manifest.backbone, manifest.dtype, identity)
    return _read_dataset(root, map_regions(root, manifest), origin, manifest.dataset)


def load_store_backbone(root: str | Path) -> ImageBackbone:
    """Return the backbone with which a store of regions was extracted, in evaluation mode.

    Raises:
        DataError: the manifest of the store or its copy of the weights is missing or damaged, or the backbone is of a
            class outside rezsl.
    """
    root = Path(root)
    description = read_manifest(root).backbone
    if description["class"] != ImageBackbone.__name__:
        raise DataError(
            f"{root}: expected a store of an ImageBackbone, got the class {description['class']!r}; join it with the "
            f"model in Python, with ScaledImageBackbone.join"
        )
    weights = read_tensors(root / BACKBONE, DataError, description["sha256"], "the weights of the backbone", AGAIN)
    with reading(root / BACKBONE, "the weights of the backbone in the manifest", DataError, AGAIN):
        backbone = ImageBackbone(**description["arguments"])
        backbone.load_state_dict(weights)
    return backbone.eval()


def write_dataset(root: Path, benchmark: Benchmark, inputs: Sequence[Any]) -> None:
    """Write a benchmark with the identities of its inputs into a store; files that exist already stay as they are."""
    tensors, names = pack_semantics(benchmark.semantics)
    tensors |= {"labels": benchmark.labels}
    tensors |= {f"split.{name}": index for name, index in benchmark.split.parts().items()}
    if benchmark.groups is not None:
        tensors["groups"] = benchmark.groups
    description = {"name": benchmark.name, "notes": benchmark.notes, "semantics": names, "inputs": inputs}
    create_atomically(root / TENSORS, tensor_bytes(tensors))
    create_atomically(root / DESCRIPTION, json_text(description, indent=None))


def _read_dataset(root: Path, inputs: Tensor, origin: RegionOrigin, expected: dict[str, str]) -> Benchmark:
    """Return the benchmark of a store, with regions as inputs, if it has the expected checksums."""
    tensors = read_tensors(root / TENSORS, DataError, expected="the tensors of a benchmark", remedy=AGAIN)
    description = read_json(root / DESCRIPTION, DataError, "the names of a benchmark", AGAIN)
    with reading(root / DESCRIPTION, f"the names of the benchmark in {TENSORS}", DataError, AGAIN):
        benchmark = Benchmark(
            name=description["name"],
            inputs=inputs,
            labels=tensors["labels"],
            semantics=unpack_semantics(tensors, description["semantics"]),
            split=Split(**{name: tensors[f"split.{name}"] for name in Split.__dataclass_fields__}),
            groups=tensors.get("groups"),
            notes=tuple(description["notes"]),
            regions=origin,
        )
        sums = benchmark_checksums(benchmark, description["inputs"])
    if wrong := [name for name in sums if sums[name] != expected.get(name)]:
        raise DataError(
            f"{root}: expected the data set of the manifest, got {TENSORS} and {DESCRIPTION} that differ from it in "
            f"{', '.join(wrong)}; remove both and run the same rezsl extract"
        )
    return benchmark


def map_regions(root: Path, manifest: RegionManifest) -> Float[Tensor, "N R D"]:
    """Return the file of regions as a tensor, whose pages are read when they are used and shared by all processes."""
    if sys.byteorder != "little":
        raise DataError(
            f"{root / FEATURES}: expected a little-endian machine, on which this file can be mapped, got a big-endian "
            f"one; use another machine"
        )
    # The mapping is private: the file need not be writable, and changes of the tensor are never written to it.
    path, dtype = str(root / FEATURES), getattr(torch, manifest.dtype)
    return torch.from_file(path, shared=False, size=math.prod(manifest.shape), dtype=dtype).view(manifest.shape)
