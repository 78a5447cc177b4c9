"""Split files of xlsa17: class semantics, and index arrays that count the rows of a feature file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from rezsl.data._feature_files import read_matlab, strings_of, whole_numbers
from rezsl.data._split import Split
from rezsl.data._text_files import naming
from rezsl.errors import ArgumentError, DataError
from rezsl.semantics import ClassSemantics

XLSA17 = (
    "xlsa17.zip (several hundred MB, Max Planck Institute for Informatics, Zero-Shot Learning, proposed splits 2.0)"
)
"""What to download: features and proposed splits of CUB, AWA1, AWA2, SUN and aPY."""

Missing = Literal["mean", "keep"]
"""Treatment of unknown attribute values."""

_TEST_PARTS = ("trainval_loc", "test_seen_loc", "test_unseen_loc")


@dataclass(frozen=True, eq=False, kw_only=True)
class SplitFile:
    """The contents of a split file.

    Attributes:
        semantics: the class semantics.
        named: whether the file names its classes; otherwise ``semantics`` calls them by their numbers.
        split: indices of rows of a feature file.
        notes: repairs made in reading, one sentence each.
    """

    semantics: ClassSemantics
    named: bool
    split: Split
    notes: tuple[str, ...]


def read_split_file(path: Path, missing: Missing = "mean") -> SplitFile:
    """Read ``att_splits.mat`` or ``sent_splits.mat``; attribute names come from ``attributes.txt`` beside it.

    Args:
        path: the file.
        missing: see :func:`rezsl.data.load_xlsa17`.

    Raises:
        DataError: the file is missing or damaged, or lacks ``att``, ``trainval_loc``, ``test_seen_loc`` or
            ``test_unseen_loc``.
    """
    check_missing(missing)
    content = read_matlab(path, required=("att", *_TEST_PARTS))
    if content["att"].ndim != 2 or content["att"].dtype.kind not in "fiu":
        raise DataError(f"{path}: expected 'att' as attributes × classes, got shape {content['att'].shape}")
    notes: list[str] = []
    values = _known_values(content, missing, path, notes)
    class_count, attribute_count = values.shape
    named = "allclasses_names" in content
    names = (
        strings_of(content["allclasses_names"])
        if named
        else [f"class {number}" for number in range(1, class_count + 1)]
    )
    if len(names) != class_count:
        raise DataError(f"{path}: expected {class_count} names in 'allclasses_names', as 'att' has, got {len(names)}")
    attributes = _attribute_names(path.parent / "attributes.txt", attribute_count)
    with naming(path):
        semantics = ClassSemantics(tuple(names), attributes, torch.from_numpy(values))
    split = _split(content, path, notes)
    return SplitFile(semantics=semantics, named=named, split=split, notes=tuple(notes))


def check_missing(missing: str) -> None:
    """Refuse an unknown treatment of unknown attribute values."""
    if missing not in ("mean", "keep"):
        raise ArgumentError(f"missing: expected 'mean' or 'keep', got {missing!r}")


def unknown_note(count: int) -> str:
    """Return the note on attribute values that were marked as unknown."""
    return f"{count} unknown class semantics (-1) took the mean of their attribute"


def table_shape(path: Path) -> tuple[int, int]:
    """Return the numbers of attributes and of classes of a split file, without reading the rest of it."""
    table = read_matlab(path, ["att"], required=["att"])["att"]
    if table.ndim != 2:
        raise DataError(f"{path}: expected 'att' as attributes × classes, got shape {table.shape}")
    return table.shape[0], table.shape[1]


def listed_count(path: Path) -> int | None:
    """Return the number of images that a split file divides; None where it divides none."""
    content = read_matlab(path, _TEST_PARTS)
    return len(np.unique(np.concatenate([content[name].ravel() for name in content]))) if content else None


def _known_values(content: dict[str, np.ndarray], missing: Missing, path: Path, notes: list[str]) -> np.ndarray:
    """Return the class semantics [C, S], with unknown values filled in."""
    values = np.array(content["att"].T, dtype=np.float64, order="C")
    if "original_att" not in content:
        return values
    original = content["original_att"].T
    if original.shape != values.shape:
        raise DataError(f"{path}: expected 'original_att' of the shape of 'att', got {original.T.shape}")
    unknown = original == -1
    if missing == "mean" and unknown.any():
        known_mean = np.nanmean(np.where(unknown, np.nan, values), axis=0)
        values = np.where(unknown, known_mean, values)
        notes.append(unknown_note(int(unknown.sum())))
    return values


def _split(content: dict[str, np.ndarray], path: Path, notes: list[str]) -> Split:
    def index(name: str) -> Tensor:
        if name not in content:
            return torch.empty(0, dtype=torch.int64)
        values = whole_numbers(content, name, path)
        if values.size and values.min() < 1:
            raise DataError(f"{path}: expected indices from 1 in {name!r}, got {values.min()}")
        return torch.from_numpy(values - 1)

    trainval = index("trainval_loc")
    inside = {name: index(f"{name}_loc") for name in ("train", "val")}
    for name, positions in inside.items():
        kept = positions[torch.isin(positions, trainval)]
        if len(kept) < len(positions):
            notes.append(f"{len(positions) - len(kept)} images of {name}_loc are test images and were left out of it")
        inside[name] = kept
    return Split(trainval, index("test_seen_loc"), index("test_unseen_loc"), inside["train"], inside["val"])


def _attribute_names(path: Path, count: int) -> tuple[str, ...]:
    if not path.is_file():
        return tuple(f"attribute {number}" for number in range(1, count + 1))
    names = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if len(names) != count:
        raise DataError(f"{path}: expected {count} names, one per line, got {len(names)}")
    return tuple(names)


@dataclass(frozen=True, eq=False, kw_only=True)
class ProposedSplit(SplitFile):
    """A split file, and the list of images that its indices count.

    Attributes:
        split_path: the split file.
        feature_path: the file with the list of images.
        image_files: path of every row's image on the computer where the file was made.
        labels: class of every row, ``[N]``, a row of ``semantics``.
    """

    split_path: Path
    feature_path: Path
    image_files: tuple[str, ...]
    labels: Int[Tensor, "N"]


def read_proposed_split(splits: Path) -> ProposedSplit:
    """Read ``att_splits.mat`` (or the named file) and ``image_files`` of the feature file beside it.

    Args:
        splits: the split file, or the directory that contains it.

    Raises:
        DataError: a file is missing or damaged, or the two do not belong together.
    """
    split_path = _split_path(splits)
    file = read_split_file(split_path)
    feature_path, image_files, labels = _image_list(split_path)
    low, high, class_count = int(labels.min()) + 1, int(labels.max()) + 1, len(file.semantics.classes)
    remedy = "take both from one folder of xlsa17"
    if low < 1 or high > class_count:
        raise DataError(
            f"{feature_path}: expected labels from 1 to {class_count}, the classes of {split_path.name}, "
            f"got {low} to {high}; {remedy}"
        )
    last = max(int(index.max()) for index in file.split.parts().values() if len(index))
    if last >= len(image_files):
        raise DataError(
            f"{split_path}: lists image {last + 1:,}, but {feature_path.name} has {len(image_files):,}; {remedy}"
        )
    return ProposedSplit(
        **vars(file), split_path=split_path, feature_path=feature_path, image_files=image_files, labels=labels
    )


def find_splits(root: Path, title: str) -> Path | None:
    """Return the directory with ``att_splits.mat``: ``root``, ``xlsa17/data/<title>`` in or beside it, or None."""
    names = dict.fromkeys((title, title.upper(), {"aPY": "APY"}.get(title, title)))
    places = [root]
    places += [above / "xlsa17" / "data" / name for above in (root, root.parent) for name in names]
    return next((place for place in places if (place / "att_splits.mat").is_file()), None)


def _split_path(splits: Path) -> Path:
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
    """Return the feature file that lists images, its images and labels; ``res101.mat`` comes first."""
    preferred = split_path.parent / "res101.mat"
    others = [file for file in sorted(split_path.parent.glob("*.mat")) if not file.stem.endswith("_splits")]
    for path in [preferred, *others] if preferred.is_file() else others:
        # The features, up to a gigabyte, are not read, because only the list of images is needed.
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
    # A file that was cut off within its features reads as one without further variables.
    tried = (
        f"only {', '.join(file.name for file in others)} without them, perhaps cut short in copying" if others else ""
    )
    raise DataError(
        f"{split_path.parent}: expected res101.mat or another feature file with 'image_files' and 'labels' beside "
        f"{split_path.name}, whose indices count its rows, got {tried or 'none'}; download {XLSA17}"
    )
