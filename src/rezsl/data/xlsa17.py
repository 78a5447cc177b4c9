"""The field's standard feature archive: xlsa17 with its proposed splits (Xian et al., TPAMI 2018).

A directory has the files ``<features>.mat`` (``features`` D × N, ``labels`` N × 1 counting from 1, optionally
``image_files``) and ``<split>.mat`` (``att`` S × C, optionally ``original_att`` and ``allclasses_names``, and index
arrays counting from 1).
"""

from pathlib import Path, PurePosixPath

import numpy as np
import torch
from torch import Tensor

from rezsl.data._archive import Totals
from rezsl.data._benchmark import Benchmark
from rezsl.data._data_files import read_matlab, strings_of
from rezsl.data._readers import READERS, Inventory, Reader, attempt, counts_of, reader
from rezsl.data._split_file import XLSA17, Missing, SplitFile, feature_files, read_labels, read_split_file
from rezsl.errors import DataError
from rezsl.files import check_folder, folder_name, local_path, naming
from rezsl.semantics import plain_name

AWA1 = Totals("AWA1", images=30_475, classes=50, attributes=85, unseen=10, validation=13)
"""A data set whose images are not published, so that it exists as features only."""


def check_xlsa17(reader: Reader, root: Path, _: bool) -> Inventory:
    """Read the split file, and count the labels of the feature file; no features are read."""
    missing, notes, damaged = [], [], list[str]()
    splits = sorted(root.glob("*_splits.mat"), key=lambda path: (path.name != "att_splits.mat", path.name))
    features = feature_files(root)
    names = [path for path in (root / "attributes.txt",) if path.is_file()]
    if not splits:
        missing.append("att_splits.mat")
    if not names:
        notes.append("no attributes.txt: attributes will be called by their numbers")
    file = attempt(lambda: read_split_file(splits[0]), damaged) if splits else None
    classes, attributes = file.semantics.values.shape if file else (None, None)
    listed = len(torch.cat([*file.split.parts().values()]).unique()) if file else None
    labels = [attempt(lambda path=path: read_matlab(path, ["labels"]), damaged) for path in features]  # type: ignore[misc] # bound at once
    images = next((content["labels"].size for content in labels if content), None)
    if images is None:
        missing.append("res101.mat, or another feature file with 'labels'")
    if listed is not None and images is not None and listed > images:
        missing.append(f"{listed - images:,} of the {listed:,} images that the split lists")
    totals = _data_set(root, classes, (images, listed))
    expected: tuple[int | None, ...] = totals.counts if totals else (None, None, None)
    if totals and attributes != totals.attributes and not (root / "att_splits.mat").is_file():
        notes.append(f"the split file describes classes by {attributes} numbers of its own")
        expected = (totals.images, totals.classes, attributes or totals.attributes)
    return Inventory(
        root=root,
        kind=reader.name,
        title=totals.title if totals else folder_name(root),
        counts=counts_of((images, classes, attributes), expected),
        found=tuple(path.name for path in (*splits, *features, *names)),
        missing=(*missing, *damaged),
        downloads=(totals.split_download if totals else XLSA17,) if missing or damaged else (),
        notes=tuple(notes),
    )


def _data_set(root: Path, classes: int | None, images: tuple[int | None, int | None]) -> Totals | None:
    """Return the known data set of this number of classes; of several, that with this number of images or this name."""
    published = [AWA1, *(known.totals for known in READERS.values() if known.totals)]
    alike = [known for known in published if known.classes == classes and known.split != "none"]
    exact = [known for known in alike if known.images in images]
    named = [known for known in alike if known.title.upper() == root.resolve().name.upper()]
    return next(iter([*exact, *named, *(alike if len(alike) == 1 else [])]), None)


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
    root = local_path(root)
    check_folder(root, "att_splits.mat and features", DataError)
    path = root / f"{features}.mat"
    file = read_split_file(root / f"{split}.mat", missing)
    inputs, labels = _read_features(path, file)
    with naming(f"{root} ({path.name}, {file.path.name})"):
        return Benchmark(folder_name(root), inputs, labels, file.semantics, file.split, notes=file.notes)


def _read_features(path: Path, file: SplitFile) -> tuple[Tensor, Tensor]:
    content = read_matlab(path, required=("features", "labels"))
    features, labels = content["features"], read_labels(content, path, file)
    if features.ndim != 2 or features.dtype.kind not in "fiu" or features.shape[1] != len(labels):
        turned = features.ndim == 2 and len(features) == len(labels)
        remedy = "save its transpose" if turned else "save both in one order"
        raise DataError(
            f"{path}: expected 'features' as dimensions × {len(labels)} images (as many as 'labels'), "
            f"got {features.dtype} of shape {features.shape}; {remedy}"
        )
    image_files = strings_of(content, "image_files", path) if "image_files" in content else []
    if len(image_files) == len(labels):
        _check_folders(image_files, labels, file.semantics.classes, path)
    with np.errstate(over="ignore"):  # the benchmark refuses numbers that become infinite, and names their row
        return torch.from_numpy(np.ascontiguousarray(features.T, dtype=np.float32)), labels


def _check_folders(image_files: list[str], labels: Tensor, classes: tuple[str, ...], path: Path) -> None:
    known = set(classes)
    for number, (image, label) in enumerate(zip(image_files, labels.tolist(), strict=True), start=1):
        folder = plain_name(PurePosixPath(image.replace("\\", "/")).parent.name)
        if folder in known and folder != classes[label]:
            raise DataError(
                f"{path}: image {number} lies in folder {folder!r} but its label means {classes[label]!r}"
                "; take both files from one folder of xlsa17"
            )
