"""aPascal and aYahoo (Farhadi et al., 2009): 15,339 objects of 32 classes in boxes, 64 attributes."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import torch

from rezsl.data._archive import Archive, Part, Totals, Unpacked, class_means, parts_within
from rezsl.data._benchmark import Benchmark, group_numbers
from rezsl.data._data_files import class_table, numbers, read_lines
from rezsl.data._images import Crop
from rezsl.data._readers import MissingPartError
from rezsl.errors import DataError, name_some
from rezsl.files import local_path, naming

_LISTS = {
    "apascal_train.txt": "VOC2008/JPEGImages",
    "apascal_test.txt": "VOC2008/JPEGImages",
    "ayahoo_test.txt": "ayahoo_test_images",
}

_VOC = ("VOC2008/JPEGImages", "VOCdevkit/VOC2008/JPEGImages")
_PUBLISHER = "University of Illinois, Describing Objects by their Attributes"
_ARCHIVE = f"attribute_data.tar.gz (under 1 MB, {_PUBLISHER})"


def _count_objects(here: Unpacked) -> int:
    """Return the number of objects whose images exist; lists and folders that are missing count as empty."""
    count = 0
    for file, images in _LISTS.items():
        with suppress(MissingPartError):
            lines, folder = read_lines(here.path(file)), here.path(images)
            count += sum(os.path.isfile(folder / line.split()[0]) for line in lines if line)
    return count


APY = Archive(
    totals=Totals("aPY", images=15_339, classes=32, attributes=64, unseen=12, validation=5),
    parts=(
        *parts_within("attribute_data", _ARCHIVE, "attribute_names.txt", "class_names.txt", *_LISTS),
        Part(
            "VOC2008/JPEGImages",
            (*_VOC, *(f"../{place}" for place in _VOC), "JPEGImages"),
            "VOCtrainval_14-Jul-2008.tar (about 550 MB, the PASCAL Visual Object Classes Challenge 2008)",
        ),
        Part(
            "ayahoo_test_images",
            ("ayahoo_test_images", "../ayahoo_test_images"),
            f"ayahoo_test_images.tar.gz (some 100 MB, {_PUBLISHER})",
        ),
    ),
    signs=(*_LISTS, "attribute_data", "ayahoo_test_images"),
    counters=(_count_objects, "class_names.txt", "attribute_names.txt"),
)


@APY.reader("apy")
def load_apy(root: str | Path, splits: str | Path | None = None, seed: int = 0) -> Benchmark:
    """Read attribute_data.tar.gz, the images of VOC 2008 and those of aYahoo; errors as for :func:`load_cub`.

    Every object is a box in an image (:class:`~rezsl.data.Crop`), and objects of one image are a group. A class's
    semantics are the mean of its objects' attributes, as in the literature.

    Args:
        root: the folder that contains ``attribute_data``, ``VOC2008/JPEGImages`` (or ``VOCdevkit/VOC2008``) and
            ``ayahoo_test_images``; the lists may also lie in it directly.
        splits: as for :func:`~rezsl.data.load_cub`. Several objects of one class in an image are joined in the order
            in which both files list them.
        seed: seed of the draw of unseen classes if there is no proposed split.
    """
    here = Unpacked(APY, local_path(root))
    classes = read_lines(here.path("class_names.txt"))
    names = read_lines(here.path("attribute_names.txt"))
    found = [item for file in _LISTS for item in _read_list(here, file, classes, len(names))]
    crops, rows, attributes = zip(*found, strict=True)
    here.check_present(crops)
    labels, values = torch.tensor(rows), torch.tensor(attributes, dtype=torch.float64)
    if empty := [name for row, name in enumerate(classes) if not bool((labels == row).any())]:
        raise DataError(
            f"{here.root}: no object of {name_some(empty)} in {', '.join(_LISTS)}; unpack the archive again"
        )
    semantics = class_table(here.root, classes, names, class_means(labels, values, len(classes)))
    groups = group_numbers([crop.path for crop in crops])
    return here.benchmark(crops, labels, semantics, splits, seed, groups, agreeing=1)


def _read_list(
    here: Unpacked, file: str, classes: list[str], attribute_count: int
) -> Iterator[tuple[Crop, int, list[float]]]:
    """Yield the box, the class and the attributes of each object of a list."""
    path, folder = here.path(file), here.path(_LISTS[file])
    row = {name: number for number, name in enumerate(classes)}
    for number, line in enumerate(read_lines(path), start=1):
        place, cells = f"{path}, line {number}", line.split()
        if len(cells) < 2:
            raise DataError(
                f"{place}: expected an image, a class, a box and attributes, got {line[:60]!r}"
                "; unpack the archive again"
            )
        if cells[1] not in row:
            raise DataError(f"{place}: expected a class of class_names.txt, got {cells[1]!r}; unpack the archive again")
        values = numbers(cells[2:], 4 + attribute_count, place)
        left, top, right, bottom = map(round, values[:4])
        # VOC counts pixels from 1 and includes the last one; a few boxes of aYahoo begin at 0.
        box = (max(0, left - 1), max(0, top - 1), right, bottom)
        with naming(place):
            crop = Crop(folder / cells[0], box)
        yield crop, row[cells[1]], values[4:]
