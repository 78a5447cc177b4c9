"""The proposed split of xlsa17 as it stands in its files: rows of a feature file, still to be joined with images."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from rezsl.data.layouts import XLSA17
from rezsl.data.matlab import read_matlab, strings_of
from rezsl.data.split import Split
from rezsl.data.xlsa17 import read_split_file
from rezsl.errors import DataError
from rezsl.semantics import ClassSemantics


@dataclass(frozen=True, eq=False)
class ProposedSplit:
    """A split file, and the list of images that its indices count.

    Attributes:
        split_path: the split file.
        feature_path: the file whose ``image_files`` it counts.
        image_files: path of every row's image on the computer of those who made the file.
        labels: class of every row, ``[N]``, a row of ``semantics``.
        semantics: the split file's own table.
        named: whether the split file names its classes; otherwise ``semantics`` calls them by their numbers.
        split: indices of rows.
        notes: what was repaired in reading.
    """

    split_path: Path
    feature_path: Path
    image_files: tuple[str, ...]
    labels: Int[Tensor, "N"]
    semantics: ClassSemantics
    named: bool
    split: Split
    notes: tuple[str, ...]


def read_proposed_split(splits: Path) -> ProposedSplit:
    """Read ``att_splits.mat`` (or the named file) and ``image_files`` of the feature file beside it.

    Args:
        splits: the split file, or the directory that holds it.

    Raises:
        DataError: a file is missing or damaged, or the two do not belong together.
    """
    split_path = _split_file(splits)
    parts = read_split_file(split_path)
    feature_path, image_files, labels = _image_list(split_path)
    low, high, class_count = int(labels.min()) + 1, int(labels.max()) + 1, len(parts.semantics.classes)
    if low < 1 or high > class_count:
        raise DataError(
            f"{feature_path}: expected labels from 1 to {class_count}, the classes of {split_path.name}, "
            f"got {low} to {high}; take both from one folder of xlsa17"
        )
    last = max(int(index.max()) for index in parts.split.parts().values() if len(index))
    if last >= len(image_files):
        raise DataError(
            f"{split_path}: lists image {last + 1:,}, but {feature_path.name} has {len(image_files):,}; take both from "
            f"one folder of xlsa17"
        )
    named = "allclasses_names" in read_matlab(split_path, ("allclasses_names",))
    return ProposedSplit(
        split_path, feature_path, image_files, labels, parts.semantics, named, parts.split, parts.notes
    )


def find_splits(root: Path, title: str) -> Path | None:
    """The directory with ``att_splits.mat`` in or beside an archive, or None.

    Looked for in ``root``, and where xlsa17.zip puts it (``xlsa17/data/<title>``) in and beside ``root``.
    """
    names = dict.fromkeys((title, title.upper(), {"aPY": "APY"}.get(title, title)))
    places = [root]
    places += [above / "xlsa17" / "data" / name for above in (root, root.parent) for name in names]
    return next((place for place in places if (place / "att_splits.mat").is_file()), None)


def _split_file(splits: Path) -> Path:
    if not splits.is_dir():
        return splits
    if (splits / "att_splits.mat").is_file():
        return splits / "att_splits.mat"
    found = sorted(splits.glob("*_splits.mat"))
    if len(found) == 1:
        return found[0]
    names = ", ".join(file.name for file in found) or "none"
    raise DataError(f"{splits}: expected att_splits.mat, got {names}; name the split file, or download {XLSA17}")


def _image_list(split_path: Path) -> tuple[Path, tuple[str, ...], Tensor]:
    """The feature file, its images and labels; ``res101.mat``, or the first other one that lists images."""
    preferred = split_path.parent / "res101.mat"
    others = [file for file in sorted(split_path.parent.glob("*.mat")) if not file.stem.endswith("_splits")]
    for path in [preferred, *others] if preferred.is_file() else others:
        # Features are left alone: they fill a gigabyte that nobody needs here.
        content = read_matlab(path, ("image_files", "labels"))
        if content.keys() < {"image_files", "labels"}:
            continue
        image_files = tuple(name.replace("\\", "/") for name in strings_of(content["image_files"]))
        labels = torch.from_numpy(np.asarray(content["labels"]).ravel().astype(np.int64) - 1)
        if len(labels) != len(image_files) or not image_files:
            raise DataError(
                f"{path}: expected one label per image, got {len(image_files):,} in 'image_files' and {len(labels):,} "
                f"in 'labels'; download {XLSA17}"
            )
        return path, image_files, labels
    # A file that ends within its features looks as if it had nothing else.
    tried = (
        f"only {', '.join(file.name for file in others)} without them, perhaps cut short in copying" if others else ""
    )
    raise DataError(
        f"{split_path.parent}: expected res101.mat or another feature file with 'image_files' and 'labels' beside "
        f"{split_path.name}, whose indices count its rows, got {tried or 'none'}; download {XLSA17}"
    )
