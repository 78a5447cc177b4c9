"""The files of a user's own folder: ``images/<class>/*``, and tables of these images."""

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from rezsl.data._images import find_images
from rezsl.data._text_files import naming
from rezsl.errors import DataError, name_some
from rezsl.files import csv_text, read_csv
from rezsl.semantics import ClassSemantics

SPLIT_NAMES = ("train", "val", "test_seen", "test_unseen")


@dataclass(frozen=True)
class ImageRow:
    """A line of ``splits.csv``.

    Attributes:
        file: path relative to the folder, with ``/`` between its parts.
        class_name: class of the image.
        group: name of the object that the image shows; empty if the image belongs to no group, None if the table has
            no column of groups.
        split: train, val, test_seen or test_unseen.
    """

    file: str
    class_name: str
    group: str | None
    split: str


def images_by_class(root: Path) -> dict[str, list[str]]:
    """Return the files of each class folder relative to ``root``; classes are sorted, and a class may have no file.

    Raises:
        DataError: there is no folder ``images``.
    """
    folder = root / "images"
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; expected images/<class>/<image files>")
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    return {name: [file.relative_to(root).as_posix() for file in find_images(folder / name)] for name in names}


def labelled_images(root: Path) -> list[tuple[str, str]]:
    """Return every image file below ``images`` and its class.

    Raises:
        DataError: there is no class folder, or one without images.
    """
    found = images_by_class(root)
    if empty := [name for name, files in found.items() if not files]:
        raise DataError(
            f"{root / 'images'}: class folders without a single image: {name_some(empty)}; add some, or remove the "
            f"folder if the class is unseen"
        )
    if not found:
        raise DataError(f"{root / 'images'}: expected a folder of images for each class, got none")
    return [(file, name) for name, files in found.items() for file in files]


def labels_of(class_names: Sequence[str], semantics: ClassSemantics, root: Path) -> Int[Tensor, "N"]:
    """Return the row of every image's class in the table of the folder.

    Raises:
        DataError: a class has no row.
    """
    with naming(root / "semantics.csv"):
        return torch.tensor(semantics.index(class_names), dtype=torch.int64)


def read_rows(path: Path) -> list[ImageRow]:
    """Read ``splits.csv``: columns ``file,class,split``, and optionally ``group``.

    Raises:
        DataError: the file cannot be read, lacks a column, or has an unknown split; the message names the line.
    """
    columns, lines = read_csv(path, DataError, ("file", "class", "split"))
    rows = []
    for line, cells in lines:
        row = dict(zip(columns, cells, strict=True))
        if row["split"] not in SPLIT_NAMES:
            raise DataError(f"{path}, line {line}: expected a split of {', '.join(SPLIT_NAMES)}, got {row['split']!r}")
        rows.append(ImageRow(row["file"], row["class"], row.get("group"), row["split"]))
    return rows


def rows_text(rows: Sequence[ImageRow]) -> str:
    """Return the text of ``splits.csv``."""
    return csv_text(
        ["file", "class", "group", "split"], [(row.file, row.class_name, row.group or "", row.split) for row in rows]
    )


def read_groups(path: Path) -> dict[str, str]:
    """Read a table with the columns ``file`` and ``group``, such as ``splits.csv``; blank groups are empty.

    Raises:
        DataError: the file cannot be read, lacks a column, or lists an image twice.
    """
    columns, lines = read_csv(path, DataError, ("file", "group"))
    groups: dict[str, str] = {}
    for line, cells in lines:
        row = dict(zip(columns, cells, strict=True))
        name = posixpath.normpath(row["file"].replace("\\", "/"))
        if name in groups:
            raise DataError(f"{path}, line {line}: {name!r} is listed more than once; list it once")
        groups[name] = row["group"].strip()
    return groups
