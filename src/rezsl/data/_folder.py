"""A user's own folder: its images, tables and groups, and splits that are made for it.

The rule of :func:`make_splits` is the same for ``splits.csv`` and ``att_splits.mat``:

1. Classes with a row in ``semantics.csv`` but without images are unseen, and cannot be tested.
2. Unseen classes are the named ones, or a share of the classes with images, drawn by the seed. All of their images are
   ``test_unseen``.
3. Validation classes are the named ones, or a share of the remaining classes, drawn by the seed.
4. Of every remaining class, also of a validation class, whole groups of images (single images if no groups are given)
   are drawn by the seed until they come as near to ``test_seen_share`` of the class as they can: ``test_seen``.
   At least one group always stays in training.
5. The other images are ``val`` in validation classes and ``train`` in the others.

The splits depend on the names, classes and groups of the images, the table, the options and the seed, but neither on
the pixels nor on the order of the file system.
"""

import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from rezsl.data._benchmark import group_numbers
from rezsl.data._held_out import ClassRoles, choose_roles, hold_out_samples
from rezsl.data._images import find_images
from rezsl.data._split_file import XLSA17_FOLDER, split_files
from rezsl.errors import ArgumentError, DataError, check_share, name_some
from rezsl.files import check_folder, csv_text, delimiter_of, folder_around, naming, read_csv, write_atomically
from rezsl.semantics import ClassSemantics, Finding, examine

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


def images_by_class(root: Path) -> dict[str, list[str]]:
    """Return the files of each class folder relative to ``root``; classes are sorted, and a class may have no file."""
    check_folder(root, "images/<class>/<image files> and semantics.csv", DataError)
    folder = root / "images"
    if not folder.is_dir():
        inside = root.resolve().name == "images"
        remedy = f"; give the folder around it, {folder_around(root)}" if inside else ""
        raise DataError(f"{folder}: no such folder; expected images/<class>/<image files>{remedy}")
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    return {name: [file.relative_to(root).as_posix() for file in find_images(folder / name)] for name in names}


def labelled_images(root: Path) -> list[tuple[str, str]]:
    """Return every image file below ``images`` and its class."""
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
    """Return the row of every image's class in the table of the folder; a class without a row is a DataError."""
    with naming(root / "semantics.csv"):
        return torch.tensor(semantics.index(class_names), dtype=torch.int64)


def read_rows(path: Path) -> list[ImageRow]:
    """Read ``splits.csv``: columns ``file,class,split``, and optionally ``group``."""
    rows = []
    for place, row in _read_table(path, "file", "class", "split"):
        if row["split"] not in SPLIT_NAMES:
            raise DataError(f"{place}: expected a split of {', '.join(SPLIT_NAMES)}, got {row['split']!r}")
        rows.append(ImageRow(row["file"], row["class"], row.get("group"), row["split"]))
    return rows


def number_groups(groups: Iterable[tuple[str, str]]) -> Int[Tensor, "N"]:
    """Return a number per pair of file and group, equal within a group; a file without a group has its own number."""
    return group_numbers([(group, ALONE if group else file) for file, group in groups])


def groups_from_table(path: Path, classes: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Read the group of each image, and notes, from a CSV file with the columns ``file`` and ``group``.

    The table may be an older ``splits.csv``; its files are relative to the folder. ``classes`` has each file's class.
    """
    listed: dict[str, str] = {}
    for place, row in _read_table(path, "file", "group"):
        name = posixpath.normpath(row["file"].replace("\\", "/"))
        if name in listed:
            raise DataError(f"{place}: {name!r} is listed more than once; list it once")
        listed[name] = row["group"].strip()
    if not listed.keys() & classes.keys():
        raise DataError(f"{path}: lists none of the {len(classes)} images; expected files such as {min(classes)!r}")
    notes = []
    if unlisted := [file for file in classes if file not in listed]:
        notes.append(f"{len(unlisted)} images are not in {path.name} and have no group: {name_some(unlisted, most=3)}")
    if absent := [file for file in listed if file not in classes]:
        notes.append(f"{len(absent)} files in {path.name} are no images of the folder: {name_some(absent, most=3)}")
    groups = {file: listed.get(file, ALONE) for file in classes}
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
        raise ArgumentError(f"group_pattern: '{pattern}' is found in none of the file names, such as {example!r}")
    note = f"{len(alone)} images do not match the group pattern and have no group: {name_some(alone, most=3)}"
    return groups, (note,) if alone else ()


def _read_table(path: Path, *columns: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the place of each row, for messages, and its cells by column."""
    header, rows = read_csv(path, DataError, columns, delimiter=delimiter_of(path, DataError))
    return ((f"{path}, line {line}", dict(zip(header, cells, strict=True))) for line, cells in rows)


@dataclass(frozen=True)
class MadeSplits:
    """The result of :func:`make_splits`.

    Attributes:
        rows: every image, in the order of ``splits.csv``.
        roles: the role of each class.
        written: the written files, ``splits.csv`` first.
        notes: remarks for users of the splits, one sentence each.
        findings: what in the table keeps a model of these splits from recognising the unseen classes.
    """

    rows: tuple[ImageRow, ...]
    roles: ClassRoles
    written: tuple[Path, ...]
    notes: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Number of images by split."""
        found = Counter(row.split for row in self.rows)
        return {name: found[name] for name in SPLIT_NAMES}


def make_splits(
    root: str | Path,
    unseen: float | Sequence[str] = 0.2,
    validation: float | Sequence[str] = 0.2,
    test_seen_share: float = 0.2,
    seed: int = 0,
    groups: str | Path | None = None,
    group_pattern: str | None = None,
    mat: bool = False,
    overwrite: bool = False,
) -> MadeSplits:
    """Write ``splits.csv`` for a folder with ``images/<class>/*`` and ``semantics.csv``; the module describes the rule.

    Args:
        root: the folder.
        unseen: names of the unseen classes, or their share of the classes with images, in ``[0, 1)``.
        validation: names of the validation classes, or their share of the seen classes, in ``[0, 1)``; 0 for none.
        test_seen_share: share of each seen class's images to test on, in ``[0, 1)``.
        seed: seed of every draw.
        groups: a CSV file with the columns ``file,group``; images of one group (frames of one object) stay together.
        group_pattern: instead, a regular expression for file names; the part in parentheses is the group.
        mat: also write ``xlsa17/att_splits.mat``, ``image_files.mat`` and ``attributes.txt``, which
            :func:`rezsl.data.read_split_file` and the field's own code read.
        overwrite: replace files of an earlier call.

    Raises:
        ArgumentError: a share, name or pattern does not fit the folder.
        DataError: the folder or the table of groups is not as described, or a file is there already and ``overwrite``
            is false.
    """
    check_share(test_seen_share=test_seen_share)
    if not 0 <= seed < 2**63:
        raise ArgumentError(f"seed: expected a whole number of at least 0 and below 2^63, got {seed}")
    root = Path(root)
    # Sorted as text, so that the rows do not depend on how a system separates the parts of a path.
    classes = dict(sorted(labelled_images(root), key=lambda item: (item[1], item[0])))
    semantics = ClassSemantics.from_csv(root / "semantics.csv", known_classes=classes.values())
    labels = labels_of(list(classes.values()), semantics, root)
    group_of = dict.fromkeys(classes, ALONE)
    notes = semantics.notes
    if groups is not None and group_pattern is not None:
        raise ArgumentError("groups, group_pattern: expected one of them, got both")
    if groups is not None:
        group_of, more = groups_from_table(Path(groups), classes)
        notes += more
    elif group_pattern is not None:
        group_of, more = groups_from_names(group_pattern, classes)
        notes += more
    # With a single seed, the same positions would be drawn each time.
    generator = torch.Generator().manual_seed(seed)
    unseen_seed, validation_seed, image_seed = torch.randint(2**62, (3,), generator=generator).tolist()
    roles = choose_roles(semantics, labels, unseen, validation, unseen_seed, validation_seed)
    seen_rows = torch.tensor(semantics.index([*roles.train, *roles.validation]))
    seen = torch.isin(labels, seen_rows).nonzero().squeeze(1)
    _, test_seen = hold_out_samples(
        seen, labels, number_groups(group_of.items()), test_seen_share, image_seed, nearest=True
    )
    if test_seen_share and (whole := sorted(set(labels[seen].tolist()) - set(labels[test_seen].tolist()))):
        names = name_some([semantics.classes[row] for row in whole])
        notes += (f"classes with a single image or group are trained on and have no test_seen images: {names}",)
    if roles.undepicted:
        notes += (f"classes without images are unseen, and cannot be tested: {name_some(roles.undepicted)}",)
    rows = _rows(classes, group_of, roles, set(test_seen.tolist()))
    cells = [(row.file, row.class_name, row.group or ALONE, row.split) for row in rows]
    contents = {"splits.csv": csv_text(["file", "class", "group", "split"], cells).encode()}
    if mat:
        files, more = split_files(semantics, labels, list(classes), [row.split for row in rows])
        contents |= {f"{XLSA17_FOLDER}/{name}": content for name, content in files.items()}
        notes += more
    elif (root / XLSA17_FOLDER / "att_splits.mat").exists():
        notes += (
            f"{XLSA17_FOLDER}/att_splits.mat is of an earlier call and need not agree; renew it with mat (--mat)",
        )
    findings = examine(semantics, (*roles.train, *roles.validation))
    return MadeSplits(rows, roles, _write(root, contents, overwrite), notes, findings)


def _rows(
    classes: dict[str, str], group_of: dict[str, str], roles: ClassRoles, test_seen: set[int]
) -> tuple[ImageRow, ...]:
    split_of = dict.fromkeys(roles.train, "train")
    split_of |= dict.fromkeys(roles.validation, "val") | dict.fromkeys(roles.unseen, "test_unseen")
    return tuple(
        ImageRow(file, name, group_of[file], "test_seen" if number in test_seen else split_of[name])
        for number, (file, name) in enumerate(classes.items())
    )


def _write(root: Path, contents: dict[str, bytes], overwrite: bool) -> tuple[Path, ...]:
    paths = {root / name: content for name, content in contents.items()}
    if not overwrite and (present := [path for path in paths if path.exists()]):
        raise DataError(
            f"{present[0]}: exists, and experiments may rest on it; move it away, or give overwrite (--overwrite)"
        )
    for path, content in paths.items():
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, content)
    return tuple(paths)
