"""The manifest of a store of regions, and the records of its chunks."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from rezsl.errors import DataError
from rezsl.files import create_atomically, differences, json_text, read_json, reading, write_json

FORMAT = 2
"""Number of the format of stores, which increases with every change that other versions of rezsl cannot read."""

RegionDtype = Literal["float16", "bfloat16"]
MANIFEST, FEATURES, RECORDS = "manifest.json", "regions.bin", "chunks"

IRRELEVANT = ("source", "revision", "transformers_version")
"""Entries that do not change regions: where equal weights came from, and which version described their network."""


@dataclass(frozen=True)
class RegionManifest:
    """Shape, origin and data set of a store, which every process that writes or reads it agrees on.

    Attributes:
        count: N, number of images.
        regions: R, regions of an image.
        region_dim: D, numbers of a region.
        dtype: type of a number; two bytes, little-endian.
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
        return 2 * self.regions * self.region_dim

    @property
    def chunks(self) -> int:
        """Number of chunks; the last one may be shorter."""
        return -(-self.count // self.chunk)

    def rows(self, chunk: int) -> range:
        """Return the positions of the images of a chunk."""
        return range(chunk * self.chunk, min(self.count, (chunk + 1) * self.chunk))

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
    path, expected, rows = _record_path(root, chunk), _record(manifest, chunk), manifest.rows(chunk)
    described = f"the record of images {rows.start} to {rows.stop - 1}"
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
            f"{path}: expected {expected:,} bytes ({' × '.join(map(str, manifest.shape))} numbers of 2), got {got}; "
            f"the file was cut off or replaced, so remove {root} and extract again"
        )


def verify_chunks(root: Path, manifest: RegionManifest, sums: Sequence[str | None]) -> None:
    """Read the whole file of regions, and refuse a chunk that has another checksum than recorded."""
    with (root / FEATURES).open("rb") as stream:
        for chunk, expected in enumerate(sums):
            checksum = hashlib.sha256()
            for _ in manifest.rows(chunk):
                checksum.update(stream.read(manifest.row_bytes))
            if checksum.hexdigest() != expected:
                rows = manifest.rows(chunk)
                raise DataError(
                    f"{root / FEATURES}: the regions of images {rows.start} to {rows.stop - 1} are damaged; remove "
                    f"{_record_path(root, chunk)} and run the same rezsl extract to have them extracted again"
                )
