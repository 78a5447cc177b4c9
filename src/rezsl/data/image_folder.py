"""A user's own images: ``images/<class>/*``, ``semantics.csv``, and optionally ``splits.csv`` and ``places.csv``."""

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from rezsl.data._benchmark import Benchmark
from rezsl.data._folder_check import check_folder
from rezsl.data._folder_files import SPLIT_NAMES, ImageRow, labelled_images, labels_of, read_rows
from rezsl.data._held_out import draw_split
from rezsl.data._readers import reader
from rezsl.data._split import Split, group_numbers
from rezsl.data._text_files import naming
from rezsl.errors import ArgumentError, DataError, name_some
from rezsl.semantics import ClassSemantics, with_places


@reader(
    "folder",
    title="your own images (images/ and semantics.csv)",
    signs={"semantics.csv": 4, "images": 1},
    check=check_folder,
)
def load_image_folder(root: str | Path, unseen_share: float = 0.2, seed: int = 0) -> Benchmark:
    """Read a folder of images with a table of class semantics.

    ``semantics.csv``: first column ``class``, one column per attribute, one row per class, also for classes without
    images. ``splits.csv``, if present: columns ``file,class,split`` and optionally ``group``, with ``file`` relative
    to the folder and ``split`` one of train, val, test_seen, test_unseen; only the files it lists are used.

    ``places.csv``, if present, gives the place in the image where an attribute is visible, see
    :attr:`rezsl.ClassSemantics.places`: columns ``attribute,y,x,spread``, shares of the image's side.

    Without ``splits.csv``, classes that have a row but no images are the unseen ones and every image is trained on;
    if all classes have images, ``unseen_share`` of them (at least one), drawn by ``seed``, are taken as unseen, and
    a fifth of the images of each other class is held out as ``test_seen``.

    Args:
        root: the folder.
        unseen_share: share of the classes taken as unseen where no file lists the splits, in ``(0, 1)``.
        seed: seed of that draw.

    Raises:
        DataError: a file is missing, a class has images but no semantics or a folder but no images, a row does not fit.
    """
    if not 0 < unseen_share < 1:
        raise ArgumentError(f"unseen_share: expected a number between 0 and 1, got {unseen_share}")
    root = Path(root)
    semantics = ClassSemantics.from_csv(root / "semantics.csv")
    if (root / "places.csv").exists():
        semantics = with_places(semantics, root / "places.csv")
    groups: Tensor | None = None
    notes: tuple[str, ...] = ()
    if (root / "splits.csv").exists():
        rows = read_rows(root / "splits.csv")
        files, names = [row.file for row in rows], [row.class_name for row in rows]
        groups = _groups(rows)
        _check_rows(root, rows)
        labels, split = labels_of(names, semantics, root), _listed_split(rows)
    else:
        files, names = map(list, zip(*labelled_images(root), strict=True))
        labels = labels_of(names, semantics, root)
        split, notes = _drawn_split(labels, semantics, unseen_share, seed)
    with naming(root):
        paths = [root / file for file in files]
        return Benchmark(root.resolve().name, paths, labels, semantics, split, groups, notes=notes)


def _check_rows(root: Path, rows: Sequence[ImageRow]) -> None:
    """Refuse files that are listed twice or do not exist, and groups with images in training and in test.

    A model could recognize the object of such a group instead of its class.
    """
    path = root / "splits.csv"
    files = [root / row.file for row in rows]
    repeated = [str(file) for file, count in Counter(map(os.path.normpath, files)).items() if count > 1]
    if repeated:
        raise DataError(f"{path}: files listed more than once: {name_some(repeated, most=3)}; list each once")
    absent = [row.file for row, file in zip(rows, files, strict=True) if not file.is_file()]
    if absent:
        raise DataError(f"{path}: {len(absent)} listed files do not exist: {name_some(absent, most=3)}")
    sides = defaultdict(set)
    for row in rows:
        sides[row.group].add(row.split.startswith("test"))
    if straddling := [group for group, side in sides.items() if group and len(side) > 1]:
        raise DataError(
            f"{path}: groups with images in training and in test: {name_some(straddling)}; move each to one side"
        )


def _groups(rows: Sequence[ImageRow]) -> Tensor | None:
    """Return the group of every row as a number; rows without a group get one each. None if no column lists groups."""
    if all(row.group is None for row in rows):
        return None
    keys = [(row.group, "" if row.group else row.file) for row in rows]
    return group_numbers(keys)


def _listed_split(rows: Sequence[ImageRow]) -> Split:
    index = {
        name: torch.tensor([number for number, row in enumerate(rows) if row.split == name], dtype=torch.int64)
        for name in SPLIT_NAMES
    }
    trainval = torch.cat([index["train"], index["val"]]).sort().values
    train = index["train"] if len(index["val"]) else index["val"]
    return Split(trainval, index["test_seen"], index["test_unseen"], train, index["val"])


def _drawn_split(
    labels: Tensor, semantics: ClassSemantics, unseen_share: float, seed: int
) -> tuple[Split, tuple[str, ...]]:
    undepicted = len(semantics.classes) - len(labels.unique())
    if undepicted:
        note = f"no splits.csv: the {undepicted} classes without images are unseen; there are no images to test them on"
        return Split(torch.arange(len(labels))), (note,)
    split = draw_split(labels, None, unseen_share, None, seed)
    names = [semantics.classes[row] for row in labels[split.test_unseen].unique().tolist()]
    return split, (f"no splits.csv: these classes are taken as unseen: {', '.join(names)}",)
