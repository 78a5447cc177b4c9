"""What is in a store of regions: the record that every process which writes or reads one agrees on."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import torch

from rezsl.errors import DataError
from rezsl.files import create_atomically

FORMAT = 1
"""Raised when older versions could not read what is written any more."""

RegionDtype = Literal["float16", "bfloat16"]
DTYPES: dict[str, torch.dtype] = {"float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class RegionManifest:
    """Shape, origin and data set of a store; ``manifest.json``.

    Attributes:
        count: N, images.
        regions: R, regions of each.
        region_dim: D, numbers of a region.
        dtype: of a number; two bytes, little-endian.
        chunk: images of a chunk, the unit that is recorded as written.
        backbone: JSON values: ``class`` and ``specification`` of the backbone, ``sha256`` of its weights (the file
            ``backbone.safetensors`` of the store), ``source`` and ``revision``, where they came from, and
            ``preprocessing`` of images.
        dataset: a sha256 each of files, labels, semantics, word vectors, split and groups.
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
        """What the regions of an image take, in bytes."""
        return 2 * self.regions * self.region_dim

    @property
    def chunks(self) -> int:
        """How many chunks there are; the last one may be shorter."""
        return -(-self.count // self.chunk)

    def rows(self, chunk: int) -> range:
        """The images of a chunk."""
        return range(chunk * self.chunk, min(self.count, (chunk + 1) * self.chunk))

    def to_json(self) -> str:
        """The content of ``manifest.json``."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2, ensure_ascii=False) + "\n"

    def claim(self, path: Path) -> None:
        """Write the manifest, or find that the store has the same one.

        Raises:
            DataError: the store was begun with another; the message names what differs.
        """
        if create_atomically(path, self.to_json()):
            return
        found = differences(json.loads(read_manifest(path).to_json()), json.loads(self.to_json()))
        if found:
            more = f" and {len(found) - 3} more" if len(found) > 3 else ""
            raise DataError(
                f"{path.parent}: expected a store of what is asked for, got one that differs in "
                f"{'; '.join(found[:3])}{more}; ask for the same, or choose another directory"
            )


def read_manifest(path: Path) -> RegionManifest:
    """Read ``manifest.json``.

    Raises:
        DataError: it is missing, damaged, or of a newer version.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); expected a directory of rezsl extract") from error
    except ValueError as error:
        raise DataError(f"{path}: expected JSON ({error}); the file is damaged") from error
    if not isinstance(content, dict) or not isinstance(content.get("format"), int):
        raise DataError(f"{path}: expected the manifest of a store of regions, got other JSON")
    if content["format"] > FORMAT:
        raise DataError(
            f"{path}: written by a newer rezsl (format {content['format']}; this one reads up to {FORMAT}); "
            f"upgrade rezsl"
        )
    try:
        manifest = RegionManifest(**{field.name: content[field.name] for field in fields(RegionManifest)})
        whole = all(type(n) is int and n > 0 for n in (*manifest.shape, manifest.chunk))
        described = {"class", "specification", "sha256", "source"} <= set(manifest.backbone)
    except (KeyError, TypeError) as error:
        raise DataError(f"{path}: expected the manifest of a store of regions, lacks {error}") from error
    if not whole or not described or manifest.dtype not in DTYPES:
        raise DataError(
            f"{path}: expected positive whole numbers, a described backbone and a dtype of {', '.join(DTYPES)}, "
            f"got shape {manifest.shape}, chunk {manifest.chunk} and {manifest.dtype}; the file is damaged"
        )
    return manifest


def differences(stored: Any, asked: Any, name: str = "") -> list[str]:
    """Which values of two JSON objects differ, each as ``key: X in the store, Y asked for``; checksums come last."""
    if isinstance(stored, dict) and isinstance(asked, dict):
        lines = [
            line
            for key in dict.fromkeys([*stored, *asked])
            if key not in IGNORED
            for line in differences(stored.get(key), asked.get(key), f"{name}.{key}" if name else key)
        ]
        return sorted(lines, key=lambda line: ":" not in line)
    if stored == asked:
        return []
    if isinstance(stored, str) and len(stored) == SHA256_LENGTH:
        return [name]
    return [f"{name}: {_shown(stored)} in the store, {_shown(asked)} asked for"]


SHA256_LENGTH = 64
IGNORED = ("source", "revision", "transformers_version")
"""Where equal weights came from, and which version described their network, makes no difference to regions."""


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}…"
