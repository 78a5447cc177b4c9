"""Split files of xlsa17 (Xian et al., TPAMI 2018), read and written: class semantics, and indices of images from 1."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import ArrayLike
from torch import Tensor

from rezsl.data._benchmark import Split
from rezsl.data._data_files import class_table, read_lines, read_matlab, strings_of, whole_numbers
from rezsl.errors import DataError, check_choice, name_some
from rezsl.files import naming
from rezsl.semantics import ClassSemantics

XLSA17 = (
    "xlsa17.zip (several hundred MB, Max Planck Institute for Informatics, Zero-Shot Learning, proposed splits 2.0)"
)
"""What to download: features and proposed splits of CUB, AWA1, AWA2, SUN and aPY."""

XLSA17_FOLDER = "xlsa17"
"""Name of the folder of written files, in the folder of the images."""

Missing = Literal["mean", "keep"]
"""Treatment of unknown attribute values."""

_HEADER = b"MATLAB 5.0 MAT-file, written by rezsl".ljust(116)
"""It replaces scipy's header, which contains the time, so that equal splits are equal bytes."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SplitFile:
    """The contents of a split file.

    Attributes:
        path: the file.
        semantics: the class semantics.
        named: whether the file names its classes; otherwise ``semantics`` calls them by their numbers.
        split: indices of rows of a feature file.
        notes: repairs made in reading, one sentence each.
    """

    path: Path
    semantics: ClassSemantics
    named: bool
    split: Split
    notes: tuple[str, ...]


def read_split_file(path: Path, missing: Missing = "mean") -> SplitFile:
    """Read ``att_splits.mat`` or ``sent_splits.mat``; attribute names come from ``attributes.txt`` beside it.

    ``missing`` is that of :func:`rezsl.data.load_xlsa17`. A file that is missing or damaged, or lacks ``att``,
    ``trainval_loc``, ``test_seen_loc`` or ``test_unseen_loc``, is a DataError.
    """
    required = ("att", "trainval_loc", "test_seen_loc", "test_unseen_loc")
    content = read_matlab(path, required=required, wanted=["allclasses_names"])
    table, original = content["att"], content.get("original_att")
    if table.ndim != 2 or table.dtype.kind not in "fiub":
        raise DataError(
            f"{path}: expected 'att' as numbers of attributes × classes, got {table.dtype} of shape {table.shape}"
            "; save the table so"
        )
    if original is not None and (original.shape != table.shape or original.dtype.kind not in "fiub"):
        raise DataError(
            f"{path}: expected 'original_att' as numbers of the shape of 'att', {table.shape}, got {original.dtype} of "
            f"shape {original.shape}; save both tables so, or leave it out"
        )
    lengths = [np.linalg.norm(np.asarray(table, dtype=np.float64), axis=axis) for axis in (0, 1)]
    columns, rows = (bool(np.allclose(length, 1, atol=1e-3)) for length in lengths)
    if table.shape[0] == table.shape[1] and rows and not columns:
        raise DataError(
            f"{path}: expected 'att' as attributes × classes with columns of length 1, got rows of length 1; save its "
            f"transpose"
        )
    named = "allclasses_names" in content
    names = strings_of(content, "allclasses_names", path) if named else []
    notes = []
    if named and len(names) == len(table) != table.shape[1]:
        table, original = table.T, None if original is None else original.T
        notes.append(f"'att' has a row for each of the {len(names)} names and was read as classes × attributes")
    values = np.array(table.T, dtype=np.float64, order="C")
    class_count, attribute_count = values.shape
    attributes = _attribute_names(path.parent / "attributes.txt", attribute_count)
    unknown = np.isnan(values) if original is None else (original.T == -1) | np.isnan(original.T) | np.isnan(values)
    with naming(path):
        values, filled = fill_unknown(values, unknown, missing, attributes)
    notes += filled
    names = names or [f"class {number}" for number in range(1, class_count + 1)]
    if len(names) != class_count:
        raise DataError(
            f"{path}: expected {class_count} names in 'allclasses_names', as 'att' has, got {len(names)}"
            "; save a name for each class, or leave it out"
        )
    semantics = class_table(path, names, attributes, torch.from_numpy(values))
    split = _read_split(content, path, notes)
    return SplitFile(path=path, semantics=semantics, named=named, split=split, notes=tuple(notes))


def fill_unknown(
    values: np.ndarray, unknown: np.ndarray, missing: Missing, attributes: Sequence[str]
) -> tuple[np.ndarray, list[str]]:
    """Replace unknown values by the mean of their attribute over the other classes, unless they are to be kept.

    Values and ``unknown`` are ``[C, S]``; a note is returned with the values where some were replaced. An attribute
    that is unknown for every class is a DataError.
    """
    check_choice(Missing, missing=missing)
    if missing == "keep" or not unknown.any():
        return values, []
    if nothing := [attributes[int(column)] for column in np.flatnonzero(unknown.all(axis=0))]:
        raise DataError(
            f"expected a known value of every attribute, got none (-1 or NaN for every class) for "
            f"{name_some(nothing, most=3)}; fill in one, remove the attribute, or choose missing keep"
        )
    known_mean = np.nanmean(np.where(unknown, np.nan, values), axis=0)
    note = f"{int(unknown.sum())} unknown class semantics (-1) took the mean of their attribute"
    return np.where(unknown, known_mean, values), [note]


def feature_files(folder: Path) -> list[Path]:
    """Return the MATLAB files of a folder that are no split files; ``res101.mat`` comes first."""
    others = [path for path in folder.glob("*.mat") if not path.stem.endswith("_splits")]
    return sorted(others, key=lambda path: (path.name != "res101.mat", path.name))


def read_labels(content: dict[str, np.ndarray], path: Path, file: SplitFile) -> Int[Tensor, "N"]:
    """Return the class of every row of a feature file, counted from 0; all must be classes of the split file."""
    labels = whole_numbers(content, "labels", path)
    if not labels.size:
        raise DataError(f"{path}: expected a label per image in 'labels', got none; save the labels")
    low, high, count = labels.min(), labels.max(), len(file.semantics.classes)
    # Without names, only the labels show which side of the table are the classes.
    rows = len(file.semantics.attributes)
    if not file.named and low >= 1 and high == rows != count:
        raise DataError(
            f"{file.path}: expected 'att' as attributes × classes, got shape {(rows, count)}, whose {rows} rows are as "
            f"many as the classes in 'labels' of {path.name}; save its transpose, or add allclasses_names"
        )
    if low < 1 or high > count:
        raise DataError(
            f"{path}: expected labels from 1 to {count}, the classes of {file.path.name}, got {low} to {high}; take "
            f"both from one folder of xlsa17"
        )
    return torch.from_numpy(labels - 1)


def _read_split(content: dict[str, np.ndarray], path: Path, notes: list[str]) -> Split:
    def index(name: str) -> Tensor:
        if name not in content:
            return torch.empty(0, dtype=torch.int64)
        values = whole_numbers(content, name, path)
        if values.size and values.min() < 1:
            raise DataError(f"{path}: expected indices from 1 in {name!r}, got {values.min()}; count the images from 1")
        return torch.from_numpy(values - 1)

    trainval = index("trainval_loc")
    inside = {name: index(f"{name}_loc") for name in ("train", "val")}
    for name, positions in inside.items():
        kept = positions[torch.isin(positions, trainval)]
        if len(kept) < len(positions):
            notes.append(f"{len(positions) - len(kept)} images of {name}_loc are test images and were left out of it")
        inside[name] = kept
    return Split(trainval, index("test_seen_loc"), index("test_unseen_loc"), **inside)


def _attribute_names(path: Path, count: int) -> tuple[str, ...]:
    if not path.is_file():
        return tuple(f"attribute {number}" for number in range(1, count + 1))
    names = [line for line in read_lines(path) if line]
    if len(names) != count:
        raise DataError(
            f"{path}: expected {count} names, one per line, got {len(names)}"
            "; write one for each attribute, or remove the file"
        )
    return tuple(names)


def split_files(
    semantics: ClassSemantics, labels: Int[Tensor, "N"], files: Sequence[str], splits: Sequence[str]
) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Return the contents of ``att_splits.mat``, ``image_files.mat`` and ``attributes.txt`` by name, and notes.

    - Images are numbered from 1 in the order of ``image_files.mat``; columns of features must be brought into it.
    - ``trainval_loc`` are the images of ``train`` and ``val``; ``train_loc`` and ``val_loc`` are its parts by class,
      and contain no test image (in the files of 2018 they do). Both are left out if there are no validation classes.
    - ``original_att`` is the unchanged table, attributes × classes; in ``att`` each class is scaled to unit length.

    ``labels``, ``files`` and ``splits`` (train, val, test_seen or test_unseen) have an entry for each image.
    """
    if broken := [name for name in semantics.attributes if len(name.splitlines()) != 1]:
        raise DataError(
            f"attributes: expected names of one line for attributes.txt, got {name_some(broken)}; rename them"
        )
    original = semantics.values.double().numpy().T
    content = {
        "att": original / np.linalg.norm(original, axis=0),
        "original_att": original,
        "allclasses_names": _cells(semantics.classes),
    }
    members = {"trainval": ("train", "val"), "test_seen": ("test_seen",), "test_unseen": ("test_unseen",)}
    if "val" in splits:
        members |= {"train": ("train",), "val": ("val",)}
    for name, parts in members.items():
        content[f"{name}_loc"] = _column([number for number, split in enumerate(splits, start=1) if split in parts])
    notes: tuple[str, ...] = ()
    if (original == -1).any():
        # In such files -1 means "unknown", and readers replace it.
        del content["original_att"]
        notes = ("att_splits.mat is without original_att: there -1 means unknown, and the table has values of -1",)
    return {
        "att_splits.mat": _matlab(content),
        "image_files.mat": _matlab({"image_files": _cells(files), "labels": _column(labels.numpy() + 1)}),
        "attributes.txt": ("\n".join(semantics.attributes) + "\n").encode(),
    }, notes


def _column(values: ArrayLike) -> np.ndarray:
    """Return a column of doubles, MATLAB's own numbers, so that code that subtracts 1 or divides cannot overflow."""
    return np.asarray(values, dtype=np.float64).reshape(-1, 1)


def _cells(texts: Sequence[str]) -> np.ndarray:
    return np.array(texts, dtype=object).reshape(-1, 1)


def _matlab(variables: dict[str, Any]) -> bytes:
    from scipy.io import savemat  # noqa: PLC0415 - a quarter of a second for this writer only

    stream = io.BytesIO()
    savemat(stream, variables, do_compression=True)  # type: ignore[arg-type] # open files work, but are not in its stubs
    return _HEADER + stream.getvalue()[len(_HEADER) :]
