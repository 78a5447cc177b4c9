"""Caltech-UCSD Birds-200-2011 (Wah et al., 2011): 11,788 images of 200 birds, 312 attributes in 28 groups."""

from pathlib import Path

import torch

from rezsl.data.assembly import Contents, with_split
from rezsl.data.benchmark import Benchmark
from rezsl.data.known import CUB
from rezsl.data.layouts import CUB as LAYOUT
from rezsl.data.text_files import check_present, numbers, read_matrix, read_numbered
from rezsl.errors import DataError
from rezsl.semantics import ClassSemantics


def load_cub(root: str | Path, splits: str | Path | None = None, seed: int = 0) -> Benchmark:
    """Read the unpacked CUB_200_2011.tgz.

    Class semantics are the shares of annotators that saw the attribute, from 0 to 1. Groups are what stands before
    ``::`` in an attribute's name: ``has_bill_shape::hooked`` belongs to "bill shape".

    Args:
        root: the folder ``CUB_200_2011``, or the one that holds it; ``attributes.txt`` lies in either.
        splits: xlsa17's split file or its directory, which also needs ``res101.mat`` or another file with
            ``image_files``. None looks for them in and beside the archive; if there are none, classes are held out
            by ``seed`` in the proposed split's shares, and a note says so.
        seed: of that draw.

    Raises:
        DataError: a file is missing or damaged, or images or classes of the split are not those of the archive.
    """
    root = Path(root)
    images = LAYOUT.find(root, "images")
    files = read_numbered(LAYOUT.find(root, "images.txt"))
    classes = read_numbered(LAYOUT.find(root, "classes.txt"))
    labels = _read_labels(LAYOUT.find(root, "image_class_labels.txt"), len(files), len(classes))
    check_present([images / file for file in files], images)
    contents = Contents(
        known=CUB,
        root=root,
        inputs=[images / file for file in files],
        files=files,
        labels=torch.tensor(labels),
        semantics=_read_semantics(root, classes),
    )
    return with_split(contents, splits, seed, agreeing=2)


def attribute_group(name: str) -> str:
    """The group of a CUB attribute.

    >>> attribute_group("has_bill_shape::curved_(up_or_down)")
    'bill shape'
    """
    return name.partition("::")[0].removeprefix("has_").replace("_", " ")


def _read_semantics(root: Path, classes: list[str]) -> ClassSemantics:
    path = LAYOUT.find(root, "attributes/class_attribute_labels_continuous.txt")
    attributes = read_numbered(LAYOUT.find(root, "attributes.txt"))
    percent = read_matrix(path, len(classes), len(attributes))
    if not 0 <= float(percent.min()) <= float(percent.max()) <= 100:
        raise DataError(f"{path}: expected percentages from 0 to 100, got {percent.min():g} to {percent.max():g}")
    try:
        return ClassSemantics(
            tuple(classes), tuple(attributes), percent / 100, groups=tuple(map(attribute_group, attributes))
        )
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _read_labels(path: Path, image_count: int, class_count: int) -> list[int]:
    """Class of every image, counted from 0."""
    labels = []
    for number, entry in enumerate(read_numbered(path, image_count), start=1):
        (label,) = numbers([entry], 1, f"{path}, line {number}")
        if label not in range(1, class_count + 1):
            raise DataError(f"{path}, line {number}: expected a class from 1 to {class_count}, got {entry}")
        labels.append(int(label) - 1)
    return labels
