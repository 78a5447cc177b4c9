"""Oxford 102 flowers (Nilsback and Zisserman, 2008): 8,189 images of 102 flowers, described by sentences."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rezsl.data._archive import Archive, Part, Totals, Unpacked, parts_within
from rezsl.data._benchmark import Benchmark
from rezsl.data._data_files import read_matlab, read_variable, whole_numbers
from rezsl.data._proposed_split import ProposedSplit, read_proposed_split
from rezsl.data._readers import MissingPartError
from rezsl.data._split_file import XLSA17, read_split_file
from rezsl.errors import DataError, name_some
from rezsl.files import local_path
from rezsl.semantics import ClassSemantics

_PUBLISHER = "University of Oxford, Visual Geometry Group, 102 Category Flower Dataset"
_LABELS = "imagelabels.mat"

FLO = Archive(
    totals=Totals("FLO", images=8_189, classes=102, attributes=1024, unseen=20, validation=20, split="required"),
    parts=(
        Part(_LABELS, (_LABELS, f"../{_LABELS}"), f"{_LABELS} (under 1 KB, {_PUBLISHER})"),
        *parts_within("102flowers", f"102flowers.tgz (about 330 MB, {_PUBLISHER})", "jpg"),
    ),
    signs=(_LABELS, "jpg", "setid.mat", "102flowers"),
    counters=(
        lambda here: here.count_files("jpg", ".jpg"),
        lambda here: len(np.unique(read_variable(here.path(_LABELS), "labels"))),
        lambda here: len(read_split_file(_splits(here) / "att_splits.mat").semantics.attributes),
    ),
)


@FLO.reader("flowers")
def load_flowers(root: str | Path, splits: str | Path | None = None) -> Benchmark:
    """Read the unpacked 102flowers.tgz, imagelabels.mat, and a split file, which also contains the class semantics.

    The archive names neither classes nor attributes: classes are called ``class 1`` to ``class 102``, numbered as in
    ``imagelabels.mat``, and their semantics are the split file's sentence embeddings (1,024 numbers). The rows of
    the split file are matched with the classes through the images. The archive's own ``setid.mat`` is not used, because
    all of its parts contain all classes. Errors are as for :func:`~rezsl.data.load_cub`.

    Args:
        root: the folder with ``imagelabels.mat`` and the folder ``jpg``.
        splits: split file or its directory, as for :func:`~rezsl.data.load_cub`; necessary here. None searches
            for them in and beside ``root``.
    """
    here = Unpacked(FLO, local_path(root))
    folder = here.path("jpg")
    labels = _read_labels(here.path(_LABELS))
    images = [folder / f"image_{number:05d}.jpg" for number in range(1, len(labels) + 1)]
    here.check_present(images)
    proposed = read_proposed_split(_splits(here) if splits is None else local_path(splits))
    position = proposed.match(here.root, images, agreeing=1)
    semantics = _renumbered(proposed, labels[position], int(labels.max()) + 1)
    split = proposed.file.split.moved(position)
    return here.benchmark(images, labels, semantics, split, notes=[proposed.note, *proposed.file.notes])


def _splits(here: Unpacked) -> Path:
    found = here.find_splits()
    if found is None:
        raise MissingPartError(
            f"{here.root}: expected a split file with class semantics (the archive has none), found none; set splits "
            f"to the directory with att_splits.mat and res101.mat of FLO, a version of {XLSA17} with sentence "
            f"embeddings"
        )
    return found


def _read_labels(path: Path) -> Tensor:
    """Return the class of every image, counted from 0."""
    labels = whole_numbers(read_matlab(path, required=["labels"]), "labels", path)
    classes = np.unique(labels)
    if not len(classes) or not np.array_equal(classes, np.arange(1, len(classes) + 1)):
        raise DataError(
            f"{path}: expected classes from 1 on, each with an image, got {name_some([*map(str, classes)]) or 'none'}"
            "; download the file again"
        )
    return torch.from_numpy(labels - 1)


def _renumbered(proposed: ProposedSplit, labels: Tensor, class_count: int) -> ClassSemantics:
    """Return the split file's table in the archive's order of classes; ``labels`` are the archive's, by row."""
    table = proposed.file.semantics
    pairs = set(zip(proposed.labels.tolist(), labels.tolist(), strict=True))
    if not len(pairs) == len({row for row, _ in pairs}) == class_count == len(table.classes):
        crossed = [f"{row + 1} is {label + 1}" for row, label in sorted(pairs) if row != label]
        raise DataError(
            f"{proposed.feature_path}: expected its labels to be those of imagelabels.mat, one to one, for "
            f"{class_count} classes, got {len(pairs)} pairs{': ' + name_some(crossed, most=3) if crossed else ''}; "
            f"download both again"
        )
    rows = [row for row, _ in sorted(pairs, key=lambda pair: pair[1])]
    named = proposed.file.named
    names = tuple(table.classes[row] if named else f"class {label + 1}" for label, row in enumerate(rows))
    return ClassSemantics(names, table.attributes, table.values[rows])
