"""One's own data: ``images/<class>/*``, ``semantics.csv``, and optionally ``splits.csv``."""

import os
from collections import Counter, defaultdict
from pathlib import Path

import torch
from torch import Tensor

from rezsl.data._benchmark import Benchmark
from rezsl.data._class_folders import SPLIT_NAMES
from rezsl.data._folder_check import check_folder
from rezsl.data._held_out import hold_out_classes, hold_out_samples
from rezsl.data._images import find_images
from rezsl.data._readers import reader
from rezsl.data._split import Split
from rezsl.errors import ArgumentError, DataError, name_some
from rezsl.files import read_csv
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

    ``places.csv``, if present, says where in the image attributes are to be seen, see
    :attr:`rezsl.ClassSemantics.places`: columns ``attribute,y,x,spread``, shares of the image's side.

    Without ``splits.csv``, classes that have a row but no images are the unseen ones and every image is trained on;
    if all classes have images, ``unseen_share`` of them (at least one), drawn by ``seed``, play the unseen ones, and
    a fifth of the images of each other class is held out as ``test_seen``.

    Args:
        root: the folder.
        unseen_share: share of the classes that play the unseen ones where nothing else says which, in ``(0, 1)``.
        seed: of that draw.

    Raises:
        DataError: a file is missing, a class has images but no semantics or a folder but no images, a row does not fit.
    """
    if not 0 < unseen_share < 1:
        raise ArgumentError(f"unseen_share: expected a number between 0 and 1, got {unseen_share}")
    root = Path(root)
    semantics = ClassSemantics.from_csv(root / "semantics.csv")
    if (root / "places.csv").exists():
        semantics = with_places(semantics, root / "places.csv")
    if (root / "splits.csv").exists():
        paths, names, splits, groups = _read_splits(root)
        labels = _labels(names, semantics, root)
        split = _listed_split(splits)
        notes: tuple[str, ...] = ()
    else:
        paths, names = _find_images(root / "images")
        groups = []
        labels = _labels(names, semantics, root)
        split, notes = _made_split(labels, semantics, unseen_share, seed)
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    try:
        return Benchmark(
            name=root.resolve().name,
            inputs=paths,
            labels=labels,
            semantics=semantics,
            split=split,
            groups=torch.tensor([numbers[group] for group in groups]) if groups else None,
            notes=notes,
        )
    except DataError as error:
        raise DataError(f"{root}: {error}") from error


def _labels(names: list[str], semantics: ClassSemantics, root: Path) -> Tensor:
    try:
        return torch.tensor(semantics.index(names))
    except DataError as error:
        raise DataError(f"{root / 'semantics.csv'}: {error}") from None


def _find_images(folder: Path) -> tuple[list[Path], list[str]]:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; expected images/<class>/<image files>")
    paths: list[Path] = []
    names: list[str] = []
    for directory in sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")):
        found = find_images(directory)
        if not found:
            raise DataError(
                f"{directory}: a class without a single image; add some, or remove the folder if it is unseen"
            )
        paths += found
        names += [directory.name] * len(found)
    if not paths:
        raise DataError(f"{folder}: expected a folder of images for each class, got none")
    return paths, names


def _read_splits(root: Path) -> tuple[list[Path], list[str], list[str], list[str]]:
    """Paths, class names, split names and (where the column exists) groups of the listed files."""
    path = root / "splits.csv"
    columns, lines = read_csv(path, DataError, ("file", "class", "split"))
    rows = []
    for line, cells in lines:
        row = dict(zip(columns, cells, strict=True))
        if row["split"] not in SPLIT_NAMES:
            raise DataError(f"{path}, line {line}: expected a split of {', '.join(SPLIT_NAMES)}, got {row['split']!r}")
        rows.append(row)
    paths = [root / row["file"] for row in rows]
    repeated = [str(file) for file, count in Counter(map(os.path.normpath, paths)).items() if count > 1]
    if repeated:
        raise DataError(f"{path}: files listed more than once: {name_some(repeated, most=3)}")
    absent = [row["file"] for row, image in zip(rows, paths, strict=True) if not image.is_file()]
    if absent:
        raise DataError(f"{path}: {len(absent)} listed files do not exist: {name_some(absent, most=3)}")
    # An image without a group stands alone.
    groups = [row["group"] or f"file {row['file']}" for row in rows] if "group" in columns else []
    _check_groups(path, groups, [row["split"] for row in rows])
    return paths, [row["class"] for row in rows], [row["split"] for row in rows], groups


def _check_groups(path: Path, groups: list[str], splits: list[str]) -> None:
    """A group on both sides of the test would let the model recognise the object instead of the class."""
    sides = defaultdict(set)
    for group, split in zip(groups, splits, strict=False):
        sides[group].add(split.startswith("test"))
    straddling = [group for group, side in sides.items() if len(side) > 1]
    if straddling:
        raise DataError(f"{path}: groups with images in training and in test: {name_some(straddling)}")


def _listed_split(splits: list[str]) -> Split:
    index = {
        name: torch.tensor([i for i, split in enumerate(splits) if split == name], dtype=torch.int64)
        for name in SPLIT_NAMES
    }
    trainval = torch.cat([index["train"], index["val"]]).sort().values
    train = index["train"] if len(index["val"]) else index["val"]
    return Split(trainval, index["test_seen"], index["test_unseen"], train, index["val"])


def _made_split(
    labels: Tensor, semantics: ClassSemantics, unseen_share: float, seed: int
) -> tuple[Split, tuple[str, ...]]:
    everything = torch.arange(len(labels))
    undepicted = len(semantics.classes) - len(labels.unique())
    if undepicted:
        note = f"no splits.csv: the {undepicted} classes without images are unseen; there are no images to test them on"
        return Split(everything), (note,)
    seen, unseen = hold_out_classes(everything, labels, unseen_share, seed)
    trainval, test_seen = hold_out_samples(seen, labels, None, share=0.2, seed=seed)
    names = [semantics.classes[row] for row in labels[unseen].unique().tolist()]
    return Split(trainval, test_seen, unseen), (
        f"no splits.csv: these classes play the unseen ones: {', '.join(names)}",
    )
