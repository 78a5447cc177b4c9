"""Caltech-UCSD Birds-200-2011 (Wah et al., 2011): 11,788 images of 200 birds, 312 attributes in 28 groups."""

from pathlib import Path

import torch

from rezsl.data._archive import Archive, Part, Totals, Unpacked, parts_within, within
from rezsl.data._benchmark import Benchmark
from rezsl.data._data_files import class_table, read_matrix, read_numbered
from rezsl.errors import DataError
from rezsl.files import local_path
from rezsl.semantics import ClassSemantics

_FOLDER = "CUB_200_2011"
_ARCHIVE = "CUB_200_2011.tgz (about 1.2 GB, the Caltech data repository, Caltech-UCSD Birds-200-2011)"
_TABLE = "attributes/class_attribute_labels_continuous.txt"

CUB = Archive(
    totals=Totals("CUB", images=11_788, classes=200, attributes=312, unseen=50, validation=50),
    parts=(
        *parts_within(_FOLDER, _ARCHIVE, "images.txt", "classes.txt", "image_class_labels.txt", _TABLE),
        # The archive unpacks this list beside its folder, not into it.
        Part(
            "attributes.txt",
            (*within(_FOLDER, "attributes.txt", "attributes/attributes.txt"), "../attributes.txt"),
            _ARCHIVE,
        ),
        *parts_within(_FOLDER, _ARCHIVE, "images"),
    ),
    signs=("image_class_labels.txt", _TABLE, _FOLDER),
    counters=(lambda here: here.count_files("images", ".jpg"), "classes.txt", "attributes.txt"),
)


@CUB.reader("cub")
def load_cub(root: str | Path, splits: str | Path | None = None, seed: int = 0) -> Benchmark:
    """Read the unpacked CUB_200_2011.tgz.

    Class semantics are the shares of annotators who marked the attribute, from 0 to 1. The attribute group stands
    before ``::`` in an attribute's name: ``has_bill_shape::hooked`` belongs to "bill shape".

    Args:
        root: the folder ``CUB_200_2011``, or its parent; ``attributes.txt`` lies in either.
        splits: xlsa17's split file or its directory, which also needs ``res101.mat`` or another file with
            ``image_files``. None searches for them in and beside the archive; if there are none, ``seed`` draws the
            unseen classes in the proposed split's shares, and a note is added.
        seed: seed of that draw.

    Raises:
        DataError: a file is missing or damaged, or images or classes of the split are not those of the archive.
    """
    here = Unpacked(CUB, local_path(root))
    folder = here.path("images")
    images = [folder / file for file in read_numbered(here.path("images.txt"))]
    classes = read_numbered(here.path("classes.txt"))
    labels = torch.tensor(_read_labels(here.path("image_class_labels.txt"), len(images), len(classes)))
    return here.benchmark(images, labels, _read_semantics(here, classes), splits, seed)


def attribute_group(name: str) -> str:
    """Return the attribute group of an attribute of CUB.

    >>> attribute_group("has_bill_shape::curved_(up_or_down)")
    'bill shape'
    """
    return name.partition("::")[0].removeprefix("has_").replace("_", " ")


def _read_semantics(here: Unpacked, classes: list[str]) -> ClassSemantics:
    path = here.path(_TABLE)
    attributes = read_numbered(here.path("attributes.txt"))
    percent = read_matrix(path, len(classes), len(attributes))
    if not 0 <= float(percent.min()) <= float(percent.max()) <= 100:
        raise DataError(
            f"{path}: expected percentages from 0 to 100, got {percent.min():g} to {percent.max():g}"
            "; unpack the archive again"
        )
    return class_table(path, classes, attributes, percent / 100, [*map(attribute_group, attributes)])


def _read_labels(path: Path, image_count: int, class_count: int) -> list[int]:
    """Return the class of every image, counted from 0."""
    row = {str(number): number - 1 for number in range(1, class_count + 1)}
    entries = read_numbered(path, image_count)
    for line, entry in enumerate(entries, start=1):
        if entry not in row:
            raise DataError(
                f"{path}, line {line}: expected a class from 1 to {class_count}, got {entry[:60]!r}; "
                f"unpack the archive again"
            )
    return [row[entry] for entry in entries]
