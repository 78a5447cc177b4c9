"""The benchmark: the form in which every data set is used, checked when it is made, and identified by checksums."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Int
from torch import Tensor

from rezsl.data._images import Crop, file_of
from rezsl.data._split import Split
from rezsl.errors import DataError, name_some
from rezsl.files import fingerprint
from rezsl.semantics import ClassSemantics, pack_semantics

EQUAL_CLASSES = "these classes have the same class semantics, so no model can distinguish them"
"""Beginning of the note on classes with equal class semantics."""


@dataclass(frozen=True)
class RegionOrigin:
    """The store that a benchmark's inputs are mapped from.

    The inputs of such a benchmark were checked when they were written. They are not checked again, because reading all
    of them would take long and could need more than the memory.

    Attributes:
        root: directory of the store.
        backbone: the backbone of the regions: the ``backbone`` entry of the store's manifest.
        dtype: number format of the regions.
        sha256: checksum of the manifest and of the checksums of all chunks, which identifies the regions unread.
    """

    root: Path
    backbone: dict[str, Any]
    dtype: str
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """Return the part that a saved model keeps; the directory is left out, because it may move."""
        return {"backbone": self.backbone, "dtype": self.dtype}


@dataclass(frozen=True, eq=False)
class Benchmark:
    """Images or features, their classes, the class semantics, and a split; all of it is checked when it is made.

    Attributes:
        name: its name in tables.
        inputs: feature vectors ``[N, D]`` or regions ``[N, R, D]`` (float), images ``[N, channels, H, W]`` (uint8), or
            N image paths or boxes in images (:class:`~rezsl.data.Crop`).
        labels: row of ``semantics`` of every input, ``[N]``, int64.
        semantics: the class semantics of all classes, also of classes without images.
        split: the images to train, validate and test on.
        groups: a number per input, ``[N]``; inputs of one group (frames of one object) stay on one side of any further
            split. None if no input belongs to a group.
        notes: repairs and decisions of the reader, and the classes that no model can distinguish, one sentence each.
        regions: the store that ``inputs`` are mapped from, or None.

    Raises:
        DataError: shapes, label ranges, values or the split are not as described here.
    """

    name: str
    inputs: Tensor | Sequence[Path | Crop]
    labels: Int[Tensor, "N"]
    semantics: ClassSemantics
    split: Split
    groups: Int[Tensor, "N"] | None = None
    notes: tuple[str, ...] = ()
    regions: RegionOrigin | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", self.labels.to(torch.int64))
        if len(self.inputs) != len(self.labels):
            raise DataError(f"labels: expected one per input, {len(self.inputs)}, got {len(self.labels)}")
        if not len(self.labels):
            raise DataError("inputs: expected at least one, got none")
        class_count = len(self.semantics.classes)
        low, high = int(self.labels.min()), int(self.labels.max())
        if low < 0 or high >= class_count:
            raise DataError(
                f"labels: expected class numbers in [0, {class_count}), the rows of the semantics table, "
                f"got {low if low < 0 else high}"
            )
        if self.groups is not None and len(self.groups) != len(self.labels):
            raise DataError(f"groups: expected one per input, {len(self.labels)}, got {len(self.groups)}")
        if isinstance(self.inputs, Tensor):
            _check_shape(self.inputs)
            if self.regions is None and self.inputs.is_floating_point():
                _check_finite(self.inputs)
        self.split.check(self.labels, self.semantics.classes)
        if len(self.seen_classes) == class_count:
            raise DataError(
                f"split: all {class_count} classes of the semantics table have training images, so there are no unseen "
                f"classes; leave some out of trainval"
            )
        object.__setattr__(self, "notes", _with_note_of_equal_classes(self.notes, self.semantics))

    def __repr__(self) -> str:
        return (
            f"Benchmark({self.name!r}, {len(self.labels)} {self.kind}, {len(self.seen_classes)} seen and "
            f"{len(self.unseen_classes)} unseen classes, {len(self.semantics.attributes)} attributes)"
        )

    @property
    def kind(self) -> Literal["features", "images"]:
        """Whether a backbone is needed to turn the inputs into regions."""
        return "features" if isinstance(self.inputs, Tensor) and self.inputs.is_floating_point() else "images"

    @property
    def seen_classes(self) -> tuple[str, ...]:
        """Names of the classes with images in ``trainval``, in the table's order."""
        return self.class_names(self.split.trainval)

    @property
    def unseen_classes(self) -> tuple[str, ...]:
        """Names of the classes with images in ``test_unseen``, in the table's order."""
        return self.class_names(self.split.test_unseen)

    def class_names(self, index: Int[Tensor, "M"]) -> tuple[str, ...]:
        """Names of the classes that occur at the given indices, in the table's order."""
        return self.semantics.classes_of(self.labels[index])


def _with_note_of_equal_classes(notes: tuple[str, ...], semantics: ClassSemantics) -> tuple[str, ...]:
    """Return the notes and one on classes with equal class semantics, which published tables contain too."""
    notes = tuple(note for note in notes if not note.startswith(EQUAL_CLASSES))
    groups = semantics.indistinguishable()
    if not groups:
        return notes
    some = "; ".join(name_some(group, most=3) for group in groups[:3])
    more = f"; and {len(groups) - 3} more such groups" if len(groups) > 3 else ""
    return (*notes, f"{EQUAL_CLASSES}: {some}{more}")


def _check_shape(inputs: Tensor) -> None:
    if inputs.dtype == torch.uint8:
        if inputs.ndim != 4 or inputs.shape[1] not in (1, 3):
            raise DataError(f"inputs: expected images [N, 1 or 3, height, width], got shape {tuple(inputs.shape)}")
        return
    if not inputs.is_floating_point() or inputs.ndim not in (2, 3):
        raise DataError(
            f"inputs: expected floating-point features [N, D] or regions [N, R, D], or uint8 images [N, C, H, W], "
            f"got {inputs.dtype} of shape {tuple(inputs.shape)}"
        )


def _check_finite(inputs: Tensor) -> None:
    # The mask is made in slices, because one of all regions might not fit into memory beside them.
    for start in range(0, len(inputs), 4096):
        rows = inputs[start : start + 4096]
        finite = rows.isfinite().flatten(1).all(dim=1)
        if not bool(finite.all()):
            bad = start + int((~finite).nonzero()[0])
            raise DataError(f"inputs: expected finite features, got NaN or infinity in row {bad}")


def identify_inputs(inputs: Tensor | Sequence[Path | Crop]) -> list[Any]:
    """Return values of JSON that identify the inputs, in their order.

    A file is identified by its name below the folder that contains all files, its size in bytes and its box, because
    reading every pixel would take as long as an epoch, and because the folder may move. Each decoded image has a
    sha256, and features have one together.

    Raises:
        DataError: a file is missing.
    """
    if isinstance(inputs, Tensor):
        return [fingerprint(inputs)] if inputs.is_floating_point() else [fingerprint(image) for image in inputs]
    # Links are not followed, because a data set may be a folder of links to files in many places.
    paths = [Path(os.path.abspath(file_of(source))) for source in inputs]
    common = os.path.commonpath([path.parent for path in paths])
    boxes = [list(source.box) if isinstance(source, Crop) else [] for source in inputs]
    try:
        return [
            [path.relative_to(common).as_posix(), path.stat().st_size, *box]
            for path, box in zip(paths, boxes, strict=True)
        ]
    except OSError as error:
        raise DataError(
            f"{error.filename}: no such image ({error.strerror}); restore it, or read the data anew"
        ) from error


def benchmark_checksums(data: Benchmark, inputs: Sequence[Any] | None = None) -> dict[str, str]:
    """Return a sha256 of each part of a benchmark, apart from its name and notes.

    Args:
        data: the benchmark.
        inputs: the result of :func:`identify_inputs`; None computes it. A store of regions has a checksum of its own,
            because reading all regions could take minutes.
    """
    if inputs is None:
        inputs = identify_inputs(data.inputs) if data.regions is None else [data.regions.sha256]
    tensors, names = pack_semantics(data.semantics)
    return {
        "inputs": fingerprint(inputs),
        "labels": fingerprint(data.labels),
        "semantics": fingerprint(names, tensors["semantics.values"]),
        "word_vectors": fingerprint(tensors.get("semantics.word_vectors")),
        "places": fingerprint(tensors.get("semantics.places")),
        "split": fingerprint(*data.split.parts().values()),
        "groups": fingerprint(data.groups),
    }


def benchmark_fingerprint(data: Benchmark) -> dict[str, Any]:
    """Return the identity of a benchmark for the record of a run: name, sizes, notes and checksums.

    Raises:
        DataError: an image file is missing.
    """
    checksums = benchmark_checksums(data)
    return {
        "name": data.name,
        "kind": data.kind,
        "inputs": len(data.labels),
        "seen_classes": len(data.seen_classes),
        "unseen_classes": len(data.unseen_classes),
        "attributes": len(data.semantics.attributes),
        "sha256": fingerprint(checksums),
        "checksums": checksums,
        "notes": list(data.notes),
    }
