"""The field's standard feature archive: xlsa17 with its proposed splits (Xian et al., TPAMI 2018).

A directory holds ``<features>.mat`` (``features`` D × N, ``labels`` N × 1 counting from 1, optionally ``image_files``)
and ``<split>.mat`` (``att`` S × C, optionally ``original_att`` and ``allclasses_names``, and index arrays counting
from 1).
"""

from pathlib import Path, PurePosixPath

import numpy as np
import torch
from torch import Tensor

from rezsl.data._archive import Totals
from rezsl.data._benchmark import Benchmark
from rezsl.data._feature_files import read_matlab, strings_of, whole_numbers
from rezsl.data._readers import READERS, Inventory, Reader, attempt, counts_of, reader, refuse_decoding
from rezsl.data._split_file import XLSA17, Missing, listed_count, read_split_file, table_shape
from rezsl.errors import DataError

AWA1 = Totals(title="AWA1", images=30_475, classes=50, attributes=85, unseen=10, validation=13)
"""A data set whose images are not published, so that it exists as features only."""


def check_xlsa17(reader: Reader, root: Path, decode: bool) -> Inventory:
    """Count the classes and attributes of the split file and the labels of the feature file; no features are read."""
    refuse_decoding(root, decode)
    missing, notes, damaged = [], [], list[str]()
    split_paths = sorted(root.glob("*_splits.mat"), key=lambda path: path.name != "att_splits.mat")
    split_path = next(iter(split_paths), None)
    others = (path for path in root.glob("*.mat") if path not in split_paths)
    features = sorted(others, key=lambda path: (path.name != "res101.mat", path.name))
    if split_path is None:
        missing.append("att_splits.mat")
    shape = attempt(lambda: table_shape(split_path), damaged) if split_path else None
    attributes, classes = shape if shape is not None else (None, None)
    labels = [attempt(lambda path=path: _label_count(path), damaged) for path in features]  # type: ignore[misc] # bound at once
    images = next((count for count in labels if count is not None), None)
    if images is None:
        missing.append("res101.mat, or another feature file with 'labels'")
    has_names = (root / "attributes.txt").is_file()
    if not has_names:
        notes.append("no attributes.txt: attributes will be called by their numbers")
    listed = attempt(lambda: listed_count(split_path), damaged) if split_path else None
    if listed is not None and images is not None and listed > images:
        missing.append(f"{listed - images:,} of the {listed:,} images that the split lists")
    totals = _data_set(root, classes, (images, listed))
    expected: tuple[int | None, ...] = totals.counts if totals else (None, None, None)
    if totals and attributes != totals.attributes and not (root / "att_splits.mat").is_file():
        notes.append(f"the split file describes classes by {attributes} numbers of its own")
        expected = (totals.images, totals.classes, attributes or totals.attributes)
    incomplete = missing or damaged
    return Inventory(
        root=root,
        kind=reader.name,
        title=totals.title if totals else root.resolve().name,
        counts=counts_of((images, classes, attributes), expected),
        found=(
            *(path.name for path in (*sorted(split_paths), *sorted(features))),
            *(("attributes.txt",) if has_names else ()),
        ),
        missing=(*missing, *damaged),
        downloads=(totals.split_download if totals else XLSA17,) if incomplete else (),
        notes=tuple(notes),
    )


@reader(
    "xlsa17",
    title="a directory of xlsa17 (att_splits.mat and features)",
    signs={"*_splits.mat": 2, "res101.mat": 2},
    check=check_xlsa17,
)
def load_xlsa17(
    root: str | Path, features: str = "res101", split: str = "att_splits", missing: Missing = "mean"
) -> Benchmark:
    """Read an xlsa17 directory.

    The files of 2018 list images of ``test_seen_loc`` in ``train_loc`` and ``val_loc`` too. They are removed there,
    and a note gives their number. Where an image's folder is a class name, it must agree with its label.

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


def _read_features(path: Path) -> tuple[Tensor, Tensor, list[str]]:
    content = read_matlab(path, required=("features", "labels"))
    features, labels = content["features"], whole_numbers(content, "labels", path)
    if not labels.size:
        raise DataError(f"{path}: expected a label per image in 'labels', got none")
    if features.ndim != 2 or features.dtype.kind not in "fiu" or features.shape[1] != labels.size:
        raise DataError(
            f"{path}: expected 'features' as dimensions × {labels.size} images (as many as 'labels'), "
            f"got {features.dtype} of shape {features.shape}"
        )
    image_files = strings_of(content["image_files"]) if "image_files" in content else []
    with np.errstate(over="ignore"):  # the benchmark refuses numbers that become infinite, and names their row
        inputs = torch.from_numpy(np.ascontiguousarray(features.T, dtype=np.float32))
    return inputs, torch.from_numpy(labels - 1), image_files


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


def _data_set(root: Path, classes: int | None, images: tuple[int | None, int | None]) -> Totals | None:
    """Return the known data set of this number of classes; of several, that with this number of images or this name."""
    published = [AWA1, *(known.totals for known in READERS.values() if known.totals)]
    alike = [known for known in published if known.classes == classes and known.proposed_split != "none"]
    exact = [known for known in alike if known.images in images]
    named = [known for known in alike if known.title.upper() == root.resolve().name.upper()]
    return next(iter([*exact, *named, *(alike if len(alike) == 1 else [])]), None)


def _label_count(path: Path) -> int | None:
    """Number of images of a feature file; None where the file is no feature file."""
    labels = read_matlab(path, ("labels",)).get("labels")
    return None if labels is None else labels.size
