"""Stores of regions: a manifest, and a benchmark without its images, whose regions are mapped from one file."""

import hashlib
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.data import Benchmark, RegionOrigin, Split, benchmark_checksums, reader
from rezsl.errors import DataError
from rezsl.files import (
    check_folder,
    json_text,
    local_path,
    naming,
    read_json,
    read_tensors,
    reading,
    tensor_bytes,
    write_json,
)
from rezsl.records import differences, fingerprint
from rezsl.regions.image_backbone import ImageBackbone
from rezsl.semantics import pack_semantics, unpack_semantics
from rezsl.weights import check_network_size
from rezsl.writing import create_atomically

FORMAT = 2
"""Number of the format of stores, which increases with every change that other versions of rezsl cannot read."""

RegionDtype = Literal["float16", "bfloat16", "float8_e4m3fn"]
MANIFEST, FEATURES, RECORDS = "manifest.json", "regions.bin", "chunks"

IRRELEVANT = ("source", "revision", "transformers_version")
"""Entries that do not change regions: where equal weights came from, and which version described their network."""
BACKBONE, TENSORS, DESCRIPTION = "backbone.safetensors", "dataset.safetensors", "dataset.json"
AGAIN = "remove the file and run the same rezsl extract"


@dataclass(frozen=True)
class RegionManifest:
    """Shape, origin and data set of a store, on which all processes that write or read it agree.

    Attributes:
        count: N, number of images.
        regions: R, regions of an image.
        region_dim: D, numbers of a region.
        dtype: type of a number; one or two bytes, little-endian.
        chunk: images of a chunk, the unit that is recorded as written.
        backbone: values of JSON: ``class`` and ``arguments`` of the backbone, ``sha256`` of its weights (the file
            ``backbone.safetensors`` of the store), ``source`` and ``revision`` of the weights, and ``preprocessing``
            of images.
        dataset: a sha256 of each part of the benchmark.
    """

    count: int
    regions: int
    region_dim: int
    dtype: RegionDtype
    chunk: int
    backbone: dict[str, Any]
    dataset: dict[str, str]

    @property
    def shape(self) -> tuple[int, int, int]:
        """N, R, D."""
        return self.count, self.regions, self.region_dim

    @property
    def row_bytes(self) -> int:
        """Bytes of the regions of an image."""
        return self.number_bytes * self.regions * self.region_dim

    @property
    def number_bytes(self) -> int:
        """Bytes of a number."""
        size: int = getattr(torch, self.dtype).itemsize
        return size

    @property
    def chunks(self) -> int:
        """Number of chunks; the last one may be shorter."""
        return -(-self.count // self.chunk)

    def rows(self, chunk: int) -> range:
        """Return the positions of the images of a chunk."""
        return range(chunk * self.chunk, min(self.count, (chunk + 1) * self.chunk))

    def images(self, chunk: int) -> str:
        """Return the positions of the images of a chunk for messages."""
        return f"images {self.rows(chunk).start} to {self.rows(chunk).stop - 1}"

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``manifest.json``."""
        return {"format": FORMAT, **asdict(self)}

    def claim(self, root: Path) -> None:
        """Write the manifest, or accept a store that has the same one.

        Raises:
            DataError: the store has another manifest; the message names the differences.
        """
        if create_atomically(root / MANIFEST, json_text(self.to_json())):
            return
        if found := differences(read_manifest(root).to_json(), self.to_json(), IRRELEVANT):
            more = f" and {len(found) - 3} more" if len(found) > 3 else ""
            raise DataError(
                f"{root}: expected a store of the same regions, got one that differs in {'; '.join(found[:3])}{more} "
                f"(in the store → asked for); use the same data and options, or choose another directory"
            )


def read_manifest(root: Path) -> RegionManifest:
    """Read the manifest of the store in a directory.

    Raises:
        DataError: the manifest is missing, damaged, or of another version.
    """
    check_folder(root, "a store of regions", DataError)
    path, expected = root / MANIFEST, "the manifest of a store of regions"
    remedy = "give a directory that rezsl extract has written, or extract again with this version"
    content = read_json(path, DataError, expected, remedy)
    if content.get("format") != FORMAT:
        found = content.get("format")
        raise DataError(f"{path}: expected {expected} in format {FORMAT}, got format {found!r}; {remedy}")
    with reading(path, expected, DataError, remedy):
        manifest = RegionManifest(**{field.name: content[field.name] for field in fields(RegionManifest)})
        whole = all(type(n) is int and n > 0 for n in (*manifest.shape, manifest.chunk))
        described = {"class", "arguments", "sha256", "source"} <= set(manifest.backbone)
        described = described and isinstance(manifest.dataset, dict)
        if not whole or not described or manifest.dtype not in get_args(RegionDtype):
            raise ValueError(f"shape {manifest.shape}, chunk {manifest.chunk}, dtype {manifest.dtype}")
    return manifest


def is_region_store(root: Path) -> bool:
    """Return whether a directory contains the manifest of a store of regions."""
    return (root / MANIFEST).is_file()


def _record_path(root: Path, chunk: int) -> Path:
    return root / RECORDS / f"{chunk:06d}.json"


def write_record(root: Path, manifest: RegionManifest, chunk: int, sha256: str) -> None:
    """Record a chunk as written; its bytes must be on the disk before."""
    write_json(_record_path(root, chunk), _record(manifest, chunk) | {"sha256": sha256}, indent=None)


def read_record(root: Path, manifest: RegionManifest, chunk: int) -> str | None:
    """Return the sha256 of the bytes of a chunk; None where the chunk has no record yet."""
    path, expected = _record_path(root, chunk), _record(manifest, chunk)
    described = f"the record of {manifest.images(chunk)}"
    remedy = "remove the file and run the same rezsl extract to have them extracted again"
    if not path.exists():
        return None
    content = read_json(path, DataError, described, remedy)
    if content | expected != content or not isinstance(content.get("sha256"), str):
        raise DataError(f"{path}: expected {described}, got another; {remedy}")
    return str(content["sha256"])


def _record(manifest: RegionManifest, chunk: int) -> dict[str, int]:
    rows = manifest.rows(chunk)
    return {"chunk": chunk, "first": rows.start, "images": len(rows)}


def check_size(root: Path, manifest: RegionManifest) -> None:
    """Refuse a file of regions that is missing, or has another length than the manifest requires."""
    path, expected = root / FEATURES, manifest.count * manifest.row_bytes
    size = path.stat().st_size if path.is_file() else None
    if size != expected:
        got = "no such file" if size is None else f"{size:,}"
        raise DataError(
            f"{path}: expected {expected:,} bytes ({' × '.join(map(str, manifest.shape))} numbers of "
            f"{manifest.number_bytes}), got {got}; the file was cut off or replaced, so remove {root} and extract again"
        )


def verify_chunks(root: Path, manifest: RegionManifest, sums: Sequence[str | None]) -> None:
    """Read the whole file of regions, and refuse a chunk that has another checksum than recorded."""
    with (root / FEATURES).open("rb") as stream:
        for chunk, expected in enumerate(sums):
            checksum = hashlib.sha256()
            for _ in manifest.rows(chunk):
                checksum.update(stream.read(manifest.row_bytes))
            if checksum.hexdigest() != expected:
                raise DataError(
                    f"{root / FEATURES}: the regions of {manifest.images(chunk)} are damaged; remove "
                    f"{_record_path(root, chunk)} and run the same rezsl extract to have them extracted again"
                )


def load_regions(root: Path, verify: bool = False) -> tuple[Float[Tensor, "N R D"], RegionOrigin]:
    """Return the regions of a finished store, mapped into memory, and their origin."""
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
    return map_regions(root, manifest), origin


@reader("regions")
def load_region_store(root: str | Path, verify: bool = False) -> Benchmark:
    """Return the benchmark whose regions ``[N, R, D]`` ``rezsl extract`` has written.

    The regions stay on the disk, with 8 or 16 bits for each number, and are mapped into memory, so that only those of a
    batch are read.
    The file must stay in its place as long as the benchmark is used.

    Args:
        root: directory of the store.
        verify: read all regions once and compare them with their checksums.

    Raises:
        DataError: there is no such store, or it is incomplete, cut off or damaged.
    """
    root = local_path(root)
    regions, origin = load_regions(root, verify)
    expected = read_manifest(root).dataset
    tensors = read_tensors(root / TENSORS, DataError, expected="the tensors of a benchmark", remedy=AGAIN)
    description = read_json(root / DESCRIPTION, DataError, "the names of a benchmark", AGAIN)
    expected_names = f"the names of the benchmark in {TENSORS}"
    with naming(root / DESCRIPTION), reading(root / DESCRIPTION, expected_names, DataError, AGAIN):
        benchmark = Benchmark(
            name=description["name"],
            inputs=regions,
            labels=tensors["labels"],
            semantics=unpack_semantics(tensors, description["semantics"]),
            split=Split(**{name: tensors[f"split.{name}"] for name in Split.__dataclass_fields__}),
            groups=tensors.get("groups"),
            notes=tuple(description["notes"]),
            regions=origin,
        )
        found = benchmark_checksums(benchmark, description["inputs"])
    if wrong := [name for name in found if found[name] != expected.get(name)]:
        raise DataError(
            f"{root}: expected the data set of the manifest, got {TENSORS} and {DESCRIPTION} that differ from it in "
            f"{', '.join(wrong)}; remove both and run the same rezsl extract"
        )
    return benchmark


def load_store_backbone(root: str | Path) -> ImageBackbone:
    """Return the backbone with which a store of regions was extracted, in evaluation mode.

    Raises:
        DataError: the manifest of the store or its copy of the weights is missing or damaged, or the backbone is of a
            class outside rezsl.
    """
    root = local_path(root)
    description = read_manifest(root).backbone
    if description["class"] != ImageBackbone.__name__:
        raise DataError(
            f"{root}: expected a store of an ImageBackbone, got the class {description['class']!r}; join it with the "
            f"model in Python, with ScaledImageBackbone.join"
        )
    weights = read_tensors(root / BACKBONE, DataError, description["sha256"], "the weights of the backbone", AGAIN)
    with reading(root / BACKBONE, "the weights of the backbone in the manifest", DataError, AGAIN):
        stored = sum(part.numel() for part in weights.values())
        check_network_size(lambda: [ImageBackbone(**description["arguments"])], stored, root / BACKBONE)
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
