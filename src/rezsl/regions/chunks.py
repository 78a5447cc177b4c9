"""The pieces a store of regions is written in: a small record beside the features says that a piece is whole."""

import hashlib
import json
from pathlib import Path

from rezsl.errors import DataError
from rezsl.files import write_atomically
from rezsl.regions.manifest import RegionManifest

FEATURES, RECORDS = "regions.bin", "chunks"


def record_path(root: Path, chunk: int) -> Path:
    """Where a chunk's record is kept."""
    return root / RECORDS / f"{chunk:06d}.json"


def write_record(root: Path, manifest: RegionManifest, chunk: int, sha256: str) -> None:
    """Say that a chunk is whole; its bytes must be safe on the disk by then."""
    rows = manifest.rows(chunk)
    content = {"chunk": chunk, "first": rows.start, "images": len(rows), "sha256": sha256}
    write_atomically(record_path(root, chunk), json.dumps(content) + "\n")


def read_record(root: Path, manifest: RegionManifest, chunk: int) -> str | None:
    """The sha256 of a chunk's bytes; None where the chunk has no record yet.

    Raises:
        DataError: the record is damaged, or of another chunk.
    """
    path, rows = record_path(root, chunk), manifest.rows(chunk)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise DataError(
            f"{path}: expected JSON ({error}); remove the file to have its images extracted again"
        ) from error
    expected = {"chunk": chunk, "first": rows.start, "images": len(rows)}
    if not isinstance(content, dict) or content | expected != content or not isinstance(content.get("sha256"), str):
        raise DataError(
            f"{path}: expected the record of images {rows.start} to {rows.stop - 1}, got another; "
            f"remove the file to have them extracted again"
        )
    return str(content["sha256"])


def check_size(root: Path, manifest: RegionManifest) -> None:
    """Refuse a file of features that is not as long as the manifest says.

    Raises:
        DataError: it is missing, too short or too long.
    """
    path, expected = root / FEATURES, manifest.count * manifest.row_bytes
    size = path.stat().st_size if path.is_file() else None
    if size != expected:
        got = "no such file" if size is None else f"{size:,}"
        raise DataError(
            f"{path}: expected {expected:,} bytes ({' × '.join(map(str, manifest.shape))} numbers of 2), got {got}; "
            f"the file was cut off or replaced, so remove {root} and extract again"
        )


def verify_chunks(root: Path, manifest: RegionManifest, sums: list[str]) -> None:
    """Compare the bytes of all chunks with their records; reads the whole file.

    Raises:
        DataError: a chunk is damaged.
    """
    with (root / FEATURES).open("rb") as stream:
        for chunk, expected in enumerate(sums):
            checksum = hashlib.sha256()
            for _ in manifest.rows(chunk):
                checksum.update(stream.read(manifest.row_bytes))
            if checksum.hexdigest() != expected:
                rows = manifest.rows(chunk)
                raise DataError(
                    f"{root / FEATURES}: the regions of images {rows.start} to {rows.stop - 1} are damaged; remove "
                    f"{record_path(root, chunk)} and run the same rezsl extract to have them extracted again"
                )
