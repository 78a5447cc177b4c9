"""A user's own folder: its images, the lines of ``splits.csv``, and groups of images that belong together."""

import os
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from rezsl.data._benchmark import group_numbers
from rezsl.data._image_files import OUTSIDE, ImageFiles, notes_of, walk_images
from rezsl.errors import ArgumentError, DataError, name_some
from rezsl.files import and_others, check_folder, delimiter_of, folder_around, naming, read_csv
from rezsl.semantics import ClassSemantics, plain_name
from rezsl.sources import is_remote

SPLIT_NAMES = ("train", "val", "test_seen", "test_unseen")

ALONE = ""
"""The group of an image that belongs to no group, as in ``splits.csv``."""


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


@dataclass(frozen=True)
class ClassFolders:
    """The contents of ``images``, of shards, or of tables.

    Attributes:
        files: the image files of each class, relative to the folder around them; classes are sorted, and a class
            may have no file. Folders whose names differ only in Unicode's form or in blanks around them are one class.
        passed_over: everything else there, relative to the same folder.
        notes: a sentence for each reason why files are passed over.
    """

    files: dict[str, list[str]]
    passed_over: tuple[str, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, root: Path, class_of: Mapping[Path, str], passed_over: Mapping[Path, str]) -> "ClassFolders":
        """Return the images below a folder by their classes, and other files with the reason why each is no image."""
        files = dict[str, list[str]]()
        for path, name in class_of.items():
            files.setdefault(name, []).append(path.relative_to(root).as_posix())
        others = tuple(path.relative_to(root).as_posix() for path in passed_over)
        return cls(files, others, notes_of(passed_over, root))


def images_by_class(root: Path) -> ClassFolders:
    """Return the files of each class folder, and what is passed over."""
    folder = root / "images"
    if is_remote(root):
        return _by_folder(root, walk_images(folder), ())
    check_folder(root, "images/<class>/<image files> and semantics.csv", DataError)
    if not folder.is_dir():
        inside = root.resolve().name == "images"
        remedy = f"; give the folder around it, {folder_around(root)}" if inside else ""
        raise DataError(f"{folder}: no such folder; expected images/<class>/<image files>{remedy}")
    names = [plain_name(entry.name) for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    return _by_folder(root, walk_images(folder), sorted(names))


def _by_folder(root: Path, found: ImageFiles, names: Sequence[str]) -> ClassFolders:
    """Return images by the folder of their class; ``names`` are the folders, also those without an image."""
    folder, passed = root / "images", dict(found.passed_over)
    files: dict[str, list[str]] = {name: [] for name in names}
    for image in found.images:
        within = image.relative_to(folder)
        if len(within.parts) == 1:
            passed[image] = OUTSIDE
        else:
            files.setdefault(plain_name(within.parts[0]), []).append(image.relative_to(root).as_posix())
    return ClassFolders(files, tuple(path.relative_to(root).as_posix() for path in passed), notes_of(passed, root))


def labelled_images(root: Path) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    """Return every image file below ``images`` and its class, sorted by class and file, and notes on other files."""
    found = images_by_class(root)
    if empty := [name for name, files in found.files.items() if not files]:
        more = "".join(f"; {note}" for note in found.notes)
        raise DataError(
            f"{root / 'images'}: class folders without a single image: {name_some(empty)}; add some, or remove the "
            f"folder if the class is unseen{more}"
        )
    if not found.files:
        raise DataError(
            f"{root / 'images'}: expected a folder of images for each class, got none"
            "; make one for each, with its images"
        )
    pairs = [(file, name) for name, files in found.files.items() for file in files]
    # Sorted as text, so that what is drawn does not depend on how a system separates the parts of a path.
    return sorted(pairs, key=lambda item: item[::-1]), found.notes


def file_key(name: str) -> str:
    """Return a listed path in the form in which it is joined with the path of a file; see :func:`plain_name`."""
    return "/".join(map(plain_name, posixpath.normpath(name.replace("\\", "/")).split("/")))


def on_disk(rows: Sequence[ImageRow], root: Path) -> list[ImageRow]:
    """Return rows with the paths of their files, where only Unicode's form or blanks around names differ from these.

    Other files that do not exist keep their names.
    """
    if all(os.path.isfile(root / row.file) for row in rows):
        return [*rows]
    known = {file_key(image.relative_to(root).as_posix()): image for image in walk_images(root).images}
    found = ((row, known.get(file_key(row.file))) for row in rows)
    return [
        replace(row, file=image.relative_to(root).as_posix()) if image and not os.path.isfile(root / row.file) else row
        for row, image in found
    ]


def labels_of(class_names: Sequence[str], semantics: ClassSemantics, root: Path) -> Int[Tensor, "N"]:
    """Return the row of every image's class in the table of the folder; a class without a row is a DataError."""
    with naming(root / "semantics.csv"):
        return torch.tensor(semantics.index(class_names), dtype=torch.int64)


def read_rows(path: Path) -> list[ImageRow]:
    """Read ``splits.csv``: columns ``file,class,split``, and optionally ``group``."""
    rows = [*_read_table(path, "file", "class", "split")]
    if wrong := [(place, row["split"]) for place, row in rows if row["split"] not in SPLIT_NAMES]:
        place, got = wrong[0]
        others = and_others(len(wrong), "line")
        raise DataError(f"{place}: expected a split of {', '.join(SPLIT_NAMES)}, got {got!r}; correct it{others}")
    return [
        ImageRow(
            _with_slashes(row["file"], path.parent),
            plain_name(row["class"]),
            plain_name(row["group"]) if "group" in row else None,
            row["split"],
        )
        for _, row in rows
    ]


def _with_slashes(file: str, root: Path) -> str:
    r"""Return a listed file with ``/`` between its parts; a table that was written on Windows may have ``\``.

    Elsewhere ``\`` may be part of a file's name.
    """
    return file if "\\" not in file or os.path.isfile(root / file) else file.replace("\\", "/")


def number_groups(groups: Iterable[tuple[str, str]]) -> Int[Tensor, "N"]:
    """Return a number per pair of file and group, equal within a group; a file without a group has its own number."""
    return group_numbers([(group, ALONE if group else file) for file, group in groups])


def groups_from_table(path: Path, classes: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Read the group of each image, and notes, from a CSV file with the columns ``file`` and ``group``.

    The table may be an older ``splits.csv``; its files are relative to the folder. ``classes`` has each file's class.
    """
    listed: dict[str, str] = {}
    for place, row in _read_table(path, "file", "group"):
        name = file_key(row["file"])
        if name in listed:
            raise DataError(f"{place}: {name!r} is listed more than once; list it once")
        listed[name] = plain_name(row["group"])
    keys = {file: file_key(file) for file in classes}
    if not listed.keys() & {*keys.values()}:
        raise DataError(f"{path}: lists none of the {len(classes)} images; expected files such as {min(classes)!r}")
    notes = []
    if unlisted := [file for file, key in keys.items() if key not in listed]:
        notes.append(f"{len(unlisted)} images are not in {path.name} and have no group: {name_some(unlisted, most=3)}")
    if absent := [name for name in listed if name not in {*keys.values()}]:
        notes.append(f"{len(absent)} files in {path.name} are no images of the folder: {name_some(absent, most=3)}")
    groups = {file: listed.get(key, ALONE) for file, key in keys.items()}
    members = defaultdict(set)
    for file, group in groups.items():
        members[group].add(classes[file])
    for group, names in members.items():
        if group != ALONE and len(names) > 1:
            raise DataError(
                f"{path}: group {group!r} has images of {name_some(sorted(names), most=2)}; a group is one object, so "
                f"of one class: write the class into the group's name"
            )
    return groups, tuple(notes)


def groups_from_names(pattern: str, classes: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Find the group of each image, within its class, by a regular expression in the file's name without its folders.

    The part in parentheses names the group, or the whole match if it has no parentheses: ``^(.+)_`` puts ``07_001.png``
    and ``07_002.png`` into the group 07 of their class.
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ArgumentError(f"group_pattern: expected a regular expression, got {pattern!r} ({error})") from error
    groups = {}
    for file, class_name in classes.items():
        match, text = expression.search(posixpath.basename(file)), ""
        if match is not None:
            text = "-".join(part for part in match.groups() if part is not None) if match.re.groups else match[0]
        # Cameras and scripts number the images of each folder anew, so 0001 of two classes is not one object.
        groups[file] = f"{class_name}/{text}" if text else ALONE
    alone = [file for file, group in groups.items() if group == ALONE]
    if len(alone) == len(classes):
        example = posixpath.basename(min(classes))
        raise ArgumentError(
            f"group_pattern: '{pattern}' is found in none of the file names, such as {example!r}; correct the pattern"
        )
    note = f"{len(alone)} images do not match the group pattern and have no group: {name_some(alone, most=3)}"
    return groups, (note,) if alone else ()


def _read_table(path: Path, *columns: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the place of each row, for messages, and its cells by column."""
    header, rows = read_csv(path, DataError, columns, delimiter=delimiter_of(path, DataError))
    return ((f"{path}, line {line}", dict(zip(header, cells, strict=True))) for line, cells in rows)
