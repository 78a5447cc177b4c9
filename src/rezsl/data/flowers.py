"""Oxford 102 flowers (Nilsback and Zisserman, 2008): 8,189 images of 102 flowers, described by sentences."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rezsl.data.assembly import Contents, split_note
from rezsl.data.benchmark import Benchmark
from rezsl.data.joining import match_images, reindexed
from rezsl.data.known import FLO
from rezsl.data.layouts import FLOWERS as LAYOUT
from rezsl.data.layouts import XLSA17
from rezsl.data.matlab import read_variable
from rezsl.data.proposed_split import ProposedSplit, find_splits, read_proposed_split
from rezsl.data.text_files import check_present
from rezsl.errors import DataError, name_some
from rezsl.semantics import ClassSemantics


def load_flowers(root: str | Path, splits: str | Path | None = None) -> Benchmark:
    """Read the unpacked 102flowers.tgz, imagelabels.mat, and a split file, which also holds the class semantics.

    The archive names neither classes nor attributes: classes are called ``class 1`` to ``class 102``, numbered as in
    ``imagelabels.mat``, and their semantics are the split file's sentence embeddings (1,024 numbers). Which row of
    the split file is which class follows from the images. The archive's own ``setid.mat`` is not used: all of its parts
    contain all classes.

    Args:
        root: the folder with ``imagelabels.mat`` and the folder ``jpg``.
        splits: split file or its directory, as for :func:`~rezsl.data.load_cub`; necessary here. None looks for
            them in and beside ``root``.

    Raises:
        DataError: a file is missing or damaged, or images or classes of the split are not those of the archive.
    """
    root = Path(root)
    images = LAYOUT.find(root, "jpg")
    labels = _read_labels(LAYOUT.find(root, "imagelabels.mat"))
    files = [f"jpg/image_{number:05d}.jpg" for number in range(1, len(labels) + 1)]
    check_present([images.parent / file for file in files], images.parent)
    place = find_splits(root, FLO.title) if splits is None else Path(splits)
    if place is None:
        raise DataError(
            f"{root}: expected a split file with class semantics (the archive has none), found none; set splits to the "
            f"directory with att_splits.mat and res101.mat of FLO, a version of {XLSA17} with sentence embeddings"
        )
    proposed = read_proposed_split(place)
    position = match_images(proposed, root, files, agreeing=1)
    contents = Contents(
        known=FLO,
        root=root,
        inputs=[images.parent / file for file in files],
        files=files,
        labels=labels,
        semantics=_renumbered(proposed, labels[position], int(labels.max()) + 1),
    )
    notes = (split_note(proposed.split_path), *proposed.notes)
    return contents.benchmark(reindexed(proposed.split, position), notes)


def _read_labels(path: Path) -> Tensor:
    """Class of every image, counted from 0."""
    labels = read_variable(path, "labels").ravel().astype(np.int64) - 1
    if not labels.size or set(labels.tolist()) != set(range(int(labels.max()) + 1)):
        raise DataError(f"{path}: expected classes from 1 on, each with an image, got {np.unique(labels + 1)[:5]}…")
    return torch.from_numpy(labels)


def _renumbered(proposed: ProposedSplit, labels: Tensor, class_count: int) -> ClassSemantics:
    """The split file's semantics in the archive's order of classes; ``labels`` are the archive's, by row."""
    pairs = set(zip(proposed.labels.tolist(), labels.tolist(), strict=True))
    if not len(pairs) == len({row for row, _ in pairs}) == class_count == len(proposed.semantics.classes):
        crossed = [f"{row + 1} is {label + 1}" for row, label in sorted(pairs) if row != label]
        raise DataError(
            f"{proposed.feature_path}: expected its labels to be those of imagelabels.mat, one to one, for "
            f"{class_count} classes, got {len(pairs)} pairs{': ' + name_some(crossed, most=3) if crossed else ''}"
        )
    row_of = {label: row for row, label in pairs}
    table = proposed.semantics
    names = tuple(
        table.classes[row_of[label]] if proposed.named else f"class {label + 1}" for label in range(class_count)
    )
    return ClassSemantics(names, table.attributes, table.values[[row_of[label] for label in range(class_count)]])
