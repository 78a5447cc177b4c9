"""Counting what a directory holds, without opening an image."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from rezsl.data.gtsrb import sign_semantics
from rezsl.data.images import find_images
from rezsl.data.known import FLO
from rezsl.data.layout import Layout, locate
from rezsl.data.matlab import read_matlab, read_variable, strings_of
from rezsl.data.proposed_split import find_splits
from rezsl.data.sun import scene_class
from rezsl.data.text_files import read_lines
from rezsl.errors import DataError
from rezsl.semantics import ClassSemantics

Found = TypeVar("Found")


@dataclass
class Census:
    """Numbers found so far; None where the file that tells is missing or damaged.

    Attributes:
        images: images (or objects) whose files are there.
        classes: classes.
        attributes: semantics.
        listed: images that a split file divides.
        damaged: one message for every file that is there but cannot be read.
    """

    images: int | None = None
    classes: int | None = None
    attributes: int | None = None
    listed: int | None = None
    damaged: list[str] = field(default_factory=list)

    def read(self, path: Path | None, reader: Callable[[Path], Found]) -> Found | None:
        """What a reader makes of a file, or None where there is none; a damaged one is noted, once."""
        if path is None:
            return None
        try:
            return reader(path)
        except DataError as error:
            if str(error) not in self.damaged:
                self.damaged.append(str(error))
            return None


def of_cub(layout: Layout, root: Path) -> Census:
    """Images on disk, lines of ``classes.txt`` and of ``attributes.txt``."""
    numbers, place = Census(), _places(layout, root)
    numbers.images = _files_below(place["images"], (".jpg",))
    numbers.classes = _length(numbers.read(place["classes.txt"], read_lines))
    numbers.attributes = _length(numbers.read(place["attributes.txt"], read_lines))
    return numbers


def of_awa2(layout: Layout, root: Path) -> Census:
    """Images on disk, lines of ``classes.txt`` and of ``predicates.txt``."""
    numbers, place = Census(), _places(layout, root)
    numbers.images = _files_below(place["JPEGImages"], (".jpg",))
    numbers.classes = _length(numbers.read(place["classes.txt"], read_lines))
    numbers.attributes = _length(numbers.read(place["predicates.txt"], read_lines))
    return numbers


def of_sun(layout: Layout, root: Path) -> Census:
    """Listed images that are on disk (the archive of images holds others too), their classes, names of attributes."""
    numbers, place = Census(), _places(layout, root)
    files = numbers.read(place["images.mat"], lambda path: strings_of(read_variable(path, "images")))
    if files is not None:
        numbers.classes = len({scene_class(file) for file in files})
        numbers.images = _present(place["images"], files)
    numbers.attributes = _length(
        numbers.read(place["attributes.mat"], lambda path: strings_of(read_variable(path, "attributes")))
    )
    return numbers


def of_apy(layout: Layout, root: Path) -> Census:
    """Objects of the three lists whose images are on disk, lines of ``class_names.txt`` and ``attribute_names.txt``."""
    numbers, place = Census(), _places(layout, root)
    folders = {"apascal_train.txt": "VOC2008/JPEGImages", "apascal_test.txt": "VOC2008/JPEGImages"}
    folders["ayahoo_test.txt"] = "ayahoo_test_images"
    for name, folder in folders.items():
        lines = numbers.read(place[name], read_lines) or []
        there = _present(place[folder], [line.split()[0] for line in lines if line])
        numbers.images = (numbers.images or 0) + (there or 0)
    numbers.classes = _length(numbers.read(place["class_names.txt"], read_lines))
    numbers.attributes = _length(numbers.read(place["attribute_names.txt"], read_lines))
    return numbers


def of_flowers(layout: Layout, root: Path) -> Census:
    """Images on disk, distinct labels, and the semantics of the split file beside them: the archive has none."""
    numbers, place = Census(), _places(layout, root)
    numbers.images = _files_below(place["jpg"], (".jpg",))
    labels = numbers.read(place["imagelabels.mat"], lambda path: read_variable(path, "labels"))
    numbers.classes = None if labels is None else len(np.unique(labels))
    splits = find_splits(root, FLO.title)
    shape = numbers.read(None if splits is None else splits / "att_splits.mat", table_shape)
    numbers.attributes = None if shape is None else shape[0]
    return numbers


def of_gtsrb(layout: Layout, root: Path) -> Census:
    """Frames on disk, folders with a list of frames, columns of the package's own table."""
    numbers, folder = Census(), _places(layout, root)["Final_Training/Images"]
    numbers.images = _files_below(folder, (".ppm",))
    numbers.classes = None if folder is None else len(list(folder.glob("[0-9]*/GT-*.csv")))
    numbers.attributes = len(sign_semantics().attributes)
    return numbers


def of_folder(root: Path) -> Census:
    """One's own data: images below ``images``, rows and columns of ``semantics.csv``."""
    numbers = Census()
    numbers.images = len(find_images(root / "images")) if (root / "images").is_dir() else None
    table = root / "semantics.csv"
    semantics = numbers.read(table if table.is_file() else None, ClassSemantics.from_csv)
    if semantics is not None:
        numbers.classes, numbers.attributes = semantics.values.shape
    return numbers


def table_shape(path: Path) -> tuple[int, int]:
    """Numbers of semantics and of classes of a split file.

    Raises:
        DataError: the file is damaged or has no such table.
    """
    table = read_matlab(path, ("att",)).get("att")
    if table is None or table.ndim != 2:
        raise DataError(f"{path}: expected a variable 'att', semantics × classes, got none")
    return table.shape[0], table.shape[1]


def _places(layout: Layout, root: Path) -> dict[str, Path | None]:
    return {part.name: locate(root, part) for part in layout.parts}


def _length(entries: Sequence[str] | None) -> int | None:
    return None if entries is None else len(entries)


def _files_below(folder: Path | None, suffixes: tuple[str, ...]) -> int | None:
    if folder is None:
        return None
    return sum(
        name.lower().endswith(suffixes) and not name.startswith(".")
        for _, _, names in os.walk(folder)
        for name in names
    )


def _present(folder: Path | None, files: Sequence[str]) -> int | None:
    """How many entries of a list are files of a folder; one listed several times counts as often."""
    if folder is None:
        return None
    there = {file: (folder / file).is_file() for file in set(files)}
    return sum(there[file] for file in files)
