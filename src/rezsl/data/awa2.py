"""Animals with Attributes 2 (Xian et al., 2018): 37,322 images of 50 animals, 85 attributes."""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.data.assembly import Contents, with_split
from rezsl.data.awa_groups import awa_groups
from rezsl.data.benchmark import Benchmark
from rezsl.data.images import find_images
from rezsl.data.known import AWA2
from rezsl.data.layouts import AWA2 as LAYOUT
from rezsl.data.text_files import read_matrix, read_numbered
from rezsl.data.xlsa17 import Missing
from rezsl.errors import ArgumentError, DataError, name_some
from rezsl.semantics import ClassSemantics


def load_awa2(
    root: str | Path, splits: str | Path | None = None, missing: Missing = "mean", seed: int = 0
) -> Benchmark:
    """Read the unpacked AwA2-base.zip and AwA2-data.zip.

    Class semantics are the table's percentages as numbers from 0 to 1.

    Args:
        root: the folder ``Animals_with_Attributes2``, or the one that holds it.
        splits: as for :func:`~rezsl.data.load_cub`.
        missing: values that the table marks as unknown (−1): ``mean`` puts the attribute's mean over the other
            classes, ``keep`` leaves the table's −1 (percent), as most published results did.
        seed: of the classes held out where there is no proposed split.

    Raises:
        DataError: a file is missing or damaged, or images or classes of the split are not those of the archive.
    """
    if missing not in ("mean", "keep"):
        raise ArgumentError(f"missing: expected 'mean' or 'keep', got {missing!r}")
    root = Path(root)
    images = LAYOUT.find(root, "JPEGImages")
    classes = read_numbered(LAYOUT.find(root, "classes.txt"))
    attributes = read_numbered(LAYOUT.find(root, "predicates.txt"))
    path = LAYOUT.find(root, "predicate-matrix-continuous.txt")
    values, notes = _known_percentages(read_matrix(path, len(classes), len(attributes)), missing)
    try:
        semantics = ClassSemantics(tuple(classes), tuple(attributes), values / 100, groups=awa_groups(attributes))
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    files, labels = _images_of(images, classes)
    contents = Contents(
        known=AWA2,
        root=root,
        inputs=[images / file for file in files],
        files=files,
        labels=torch.tensor(labels),
        semantics=semantics,
        notes=notes,
    )
    return with_split(contents, splits, seed, agreeing=2)


def _known_percentages(values: Float[Tensor, "C S"], missing: Missing) -> tuple[Tensor, tuple[str, ...]]:
    unknown = values == -1
    if missing == "keep" or not bool(unknown.any()):
        return values, ()
    known_mean = values.masked_fill(unknown, float("nan")).nanmean(dim=0)
    note = f"{int(unknown.sum())} unknown class semantics (-1) took the mean of their attribute"
    return torch.where(unknown, known_mean, values), (note,)


def _images_of(folder: Path, classes: list[str]) -> tuple[list[str], list[int]]:
    """Files relative to the folder, sorted within each class, and their classes."""
    by_class = {name: find_images(folder / name) if (folder / name).is_dir() else [] for name in classes}
    if empty := [name for name, found in by_class.items() if not found]:
        raise DataError(
            f"{folder}: expected a folder of images for each of {len(classes)} classes, {len(empty)} have none: "
            f"{name_some(empty)}; unpack the archive of images again"
        )
    files = [file.relative_to(folder).as_posix() for found in by_class.values() for file in found]
    return files, [label for label, found in enumerate(by_class.values()) for _ in found]
