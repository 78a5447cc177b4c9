"""The field's standard feature archive: xlsa17 with its proposed splits (Xian et al., TPAMI 2018).

A directory holds ``<features>.mat`` (``features`` D × N, ``labels`` N × 1 counting from 1, optionally ``image_files``)
and ``<split>.mat`` (``att`` S × C, optionally ``original_att`` and ``allclasses_names``, and index arrays counting
from 1).
"""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from rezsl.data.benchmark import Benchmark
from rezsl.data.matlab import read_matlab, strings_of
from rezsl.data.split import Split
from rezsl.errors import ArgumentError, DataError
from rezsl.semantics import ClassSemantics

Missing = Literal["mean", "keep"]


@dataclass(frozen=True)
class SplitFile:
    """A split file: the classes' semantics, and index arrays that still count images of a feature file."""

    semantics: ClassSemantics
    split: Split
    notes: tuple[str, ...]


def load_xlsa17(
    root: str | Path, features: str = "res101", split: str = "att_splits", missing: Missing = "mean"
) -> Benchmark:
    """Read an xlsa17 directory.

    The files of 2018 list images of ``test_seen_loc`` in ``train_loc`` and ``val_loc`` too; those are left out of them
    and a note says how many. Where an image's folder is a class name, it must agree with its label.

    Args:
        root: the data set's directory.
        features: name of the feature file, without ``.mat``.
        split: name of the split file, without ``.mat``.
        missing: attribute values that ``original_att`` marks as unknown (−1): ``mean`` puts the attribute's mean over
            the other classes, ``keep`` leaves the file's number, as most published results did.

    Raises:
        DataError: a file is missing or damaged, or shapes, labels or indices do not fit; the message names the file.
    """
    root = Path(root)
    feature_path, split_path = root / f"{features}.mat", root / f"{split}.mat"
    parts = read_split_file(split_path, missing)
    inputs, labels, image_files = _read_features(feature_path)
    _check_labels(labels, image_files, parts.semantics.classes, feature_path)
    try:
        return Benchmark(root.resolve().name, inputs, labels, parts.semantics, parts.split, notes=parts.notes)
    except DataError as error:
        raise DataError(f"{root} ({feature_path.name}, {split_path.name}): {error}") from error


def read_split_file(path: Path, missing: Missing = "mean") -> SplitFile:
    """Read ``att_splits.mat`` or ``sent_splits.mat``; attribute names come from ``attributes.txt`` beside it.

    Raises:
        DataError: the file is missing or damaged, or lacks ``att``, ``trainval_loc``, ``test_seen_loc`` or
            ``test_unseen_loc``.
    """
    if missing not in ("mean", "keep"):
        raise ArgumentError(f"missing: expected 'mean' or 'keep', got {missing!r}")
    content = read_matlab(path)
    for name in ("att", "trainval_loc", "test_seen_loc", "test_unseen_loc"):
        if name not in content:
            raise DataError(f"{path}: expected a variable {name!r}, got {', '.join(sorted(content)) or 'none'}")
    if content["att"].ndim != 2 or content["att"].dtype.kind not in "fiu":
        raise DataError(f"{path}: expected 'att' as semantics × classes, got shape {content['att'].shape}")
    notes: list[str] = []
    values = _known_values(content, missing, path, notes)
    class_count, attribute_count = values.shape
    names = (
        strings_of(content["allclasses_names"])
        if "allclasses_names" in content
        else [f"class {number}" for number in range(1, class_count + 1)]
    )
    if len(names) != class_count:
        raise DataError(f"{path}: expected {class_count} names in 'allclasses_names', as 'att' has, got {len(names)}")
    attributes = _attribute_names(path.parent / "attributes.txt", attribute_count)
    try:
        semantics = ClassSemantics(tuple(names), attributes, torch.from_numpy(values))
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    return SplitFile(semantics, _split(content, path, notes), tuple(notes))


def _known_values(content: dict[str, np.ndarray], missing: Missing, path: Path, notes: list[str]) -> np.ndarray:
    """Class semantics [C, S], unknown ones filled in."""
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
        notes.append(f"{int(unknown.sum())} unknown class semantics (-1) took the mean of their attribute")
    return values


def _split(content: dict[str, np.ndarray], path: Path, notes: list[str]) -> Split:
    def index(name: str) -> Tensor:
        if name not in content:
            return torch.empty(0, dtype=torch.int64)
        values = _whole_numbers(content, name, path)
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


def _read_features(path: Path) -> tuple[Tensor, Tensor, list[str]]:
    content = read_matlab(path)
    for name in ("features", "labels"):
        if name not in content:
            raise DataError(f"{path}: expected a variable {name!r}, got {', '.join(sorted(content)) or 'none'}")
    features, labels = content["features"], _whole_numbers(content, "labels", path)
    if not labels.size:
        raise DataError(f"{path}: expected a label per image in 'labels', got none")
    if features.ndim != 2 or features.dtype.kind not in "fiu" or features.shape[1] != labels.size:
        raise DataError(
            f"{path}: expected 'features' as dimensions × {labels.size} images (as many as 'labels'), "
            f"got {features.dtype} of shape {features.shape}"
        )
    image_files = strings_of(content["image_files"]) if "image_files" in content else []
    with np.errstate(over="ignore"):  # the benchmark refuses what became infinite, and names the row
        inputs = torch.from_numpy(np.ascontiguousarray(features.T, dtype=np.float32))
    return inputs, torch.from_numpy(labels - 1), image_files


def _whole_numbers(content: dict[str, np.ndarray], name: str, path: Path) -> np.ndarray:
    """A variable as one row of int64; MATLAB keeps whole numbers as floating-point ones too."""
    values = np.asarray(content[name]).ravel()
    if values.dtype.kind not in "fiu":
        kind = "text or cells" if values.dtype.kind in "OUS" else str(values.dtype)
        raise DataError(f"{path}: expected whole numbers in {name!r}, got {kind}")
    # A cast of NaN, infinity or what int64 cannot hold would give some other number.
    wrong = values[~(np.isfinite(values) & (values == np.floor(values)) & (np.abs(values) < 2.0**62))]
    if wrong.size:
        raise DataError(f"{path}: expected whole numbers in {name!r}, got {wrong[0]}")
    return values.astype(np.int64)


def _check_labels(labels: Tensor, image_files: list[str], classes: tuple[str, ...], path: Path) -> None:
    low, high = int(labels.min()) + 1, int(labels.max()) + 1
    if low < 1 or high > len(classes):
        raise DataError(
            f"{path}: expected labels from 1 to {len(classes)}, the classes of the split file, got {low} to {high}"
        )
    if len(image_files) != len(labels):
        return
    known = set(classes)
    for number, (image, label) in enumerate(zip(image_files, labels.tolist(), strict=True)):
        folder = PurePosixPath(image.replace("\\", "/")).parent.name
        if folder in known and folder != classes[label]:
            raise DataError(
                f"{path}: image {number + 1} lies in folder {folder!r} but its label means {classes[label]!r}"
            )
