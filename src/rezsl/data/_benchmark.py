"""The benchmark and its split: the form of every data set, checked when it is made, and identified by checksums."""

import os
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from rezsl.data._images import Crop, file_of, on_threads
from rezsl.data._pixel_values import ValueRange, check_value_range
from rezsl.errors import DataError, name_some
from rezsl.files import sha256
from rezsl.records import fingerprint
from rezsl.semantics import ClassSemantics, pack_semantics
from rezsl.sources import is_remote, read_bytes, size_of

EQUAL_CLASSES = "these classes have the same class semantics, so no model can distinguish them"
"""Beginning of the note on classes with equal class semantics."""


_none = partial(torch.empty, 0, dtype=torch.int64)


def group_numbers(keys: Sequence[Hashable]) -> Int[Tensor, "N"]:
    """Return a number per key, equal for equal keys, in the order of their first occurrence."""
    number = {key: position for position, key in enumerate(dict.fromkeys(keys))}
    return torch.tensor([number[key] for key in keys], dtype=torch.int64)


@dataclass(frozen=True, eq=False)
class Split:
    """Index arrays into a benchmark's inputs.

    Attributes:
        trainval: images that the final model is trained on.
        test_seen: held-out images of the classes in ``trainval``.
        test_unseen: images of classes without images in ``trainval``.
        train: images of the training classes of the selection stage, within ``trainval``.
        val: images of its validation classes, within ``trainval``, disjoint from those of ``train``. Where ``train``
            and ``val`` are empty, validation classes are held out of the seen ones by a seed.
    """

    trainval: Int[Tensor, "N"]
    test_seen: Int[Tensor, "N_seen"] = field(default_factory=_none)
    test_unseen: Int[Tensor, "N_unseen"] = field(default_factory=_none)
    train: Int[Tensor, "N_train"] = field(default_factory=_none)
    val: Int[Tensor, "N_val"] = field(default_factory=_none)

    @classmethod
    def from_masks(
        cls, unseen: Bool[Tensor, "N"], test_seen: Bool[Tensor, "N"], validation: Bool[Tensor, "N"]
    ) -> "Split":
        """Return a split by masks of all images; a mask counts only where none before it does, in the order given."""
        trained = ~unseen & ~test_seen
        trainval, val = ((trained & mask).nonzero().squeeze(1) for mask in (trained, validation))
        train = (trained & ~validation).nonzero().squeeze(1) if len(val) else val
        return cls(trainval, (test_seen & ~unseen).nonzero().squeeze(1), unseen.nonzero().squeeze(1), train, val)

    def parts(self) -> dict[str, Tensor]:
        """The five index arrays by name."""
        return {name: getattr(self, name) for name in ("trainval", "test_seen", "test_unseen", "train", "val")}

    def moved(self, position: Int[Tensor, "N"]) -> "Split":
        """Return the split of the images that stand at ``position``, one for each image that this split divides."""
        return Split(**{name: position[index] for name, index in self.parts().items()})

    def check(self, labels: Int[Tensor, "N"], class_names: tuple[str, ...]) -> None:
        """Refuse a split under which zero-shot metrics would be meaningless.

        It is a DataError if an index is out of range or repeated, parts overlap, or disjoint classes are not.
        """
        for name, index in self.parts().items():
            if len(index) and not 0 <= int(index.min()) <= int(index.max()) < len(labels):
                wrong = int(index.min() if index.min() < 0 else index.max())
                raise DataError(
                    f"split.{name}: expected indices in [0, {len(labels)}), got {wrong}"
                    "; count the images from 0, or from 1 in MATLAB files"
                )
            if len(index.unique()) != len(index):
                raise DataError(f"split.{name}: an image is listed more than once; list it once")
        if not len(self.trainval):
            raise DataError("split.trainval: expected at least one training image, got none; list some as train")
        tested = (("trainval", "test_seen"), ("trainval", "test_unseen"), ("test_seen", "test_unseen"))
        for left, right in (*tested, ("train", "val")):
            if shared := int(torch.isin(getattr(self, left), getattr(self, right)).sum()):
                raise DataError(
                    f"split.{left} and split.{right}: expected no image in both, got {shared}; keep each in one"
                )
        for name in ("train", "val"):
            outside = ~torch.isin(getattr(self, name), self.trainval)
            if bool(outside.any()):
                raise DataError(
                    f"split.{name}: {int(outside.sum())} images are not part of trainval"
                    "; add them to it, or remove them here"
                )

        def first(numbers: set[int]) -> str:
            return repr(class_names[min(numbers)])

        classes = {name: set(labels[index].tolist()) for name, index in self.parts().items()}
        if both := classes["trainval"] & classes["test_unseen"]:
            raise DataError(f"split.test_unseen: class {first(both)} also has training images; it is not unseen")
        if alone := classes["test_seen"] - classes["trainval"]:
            raise DataError(f"split.test_seen: class {first(alone)} has no training image; it is not seen")
        if both := classes["train"] & classes["val"]:
            raise DataError(f"split.val: class {first(both)} is also a training class; validation classes are disjoint")
        if bool(len(self.train)) != bool(len(self.val)):
            raise DataError(
                "split.train and split.val: expected both or neither, got one of them empty"
                "; give both, or leave both out"
            )


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
        cached: whether a training extracted them from images, so that its model is joined with their backbone.
    """

    root: Path
    backbone: dict[str, Any]
    dtype: str
    sha256: str
    cached: bool = False

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
        notes: repairs and decisions of the readers of images and table, and the classes that no model can distinguish,
            one sentence each.
        regions: the store that ``inputs`` are mapped from, or None.
        value_range: the numbers in image files that are black and white, or None for those of their type, see
            :func:`read_image`; a model that is trained on the files keeps it.

    Raises:
        ArgumentError: ``value_range`` is none.
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
    value_range: ValueRange | None = None

    def __post_init__(self) -> None:
        check_value_range(self.value_range)
        object.__setattr__(self, "labels", self.labels.to(torch.int64))
        for name, numbers in (("labels", self.labels), ("groups", self.groups)):
            if numbers is not None and len(numbers) != len(self.inputs):
                raise DataError(f"{name}: expected one per input, {len(self.inputs)}, got {len(numbers)}; give as many")
        if not len(self.labels):
            raise DataError("inputs: expected at least one, got none; add some")
        class_count = len(self.semantics.classes)
        low, high = int(self.labels.min()), int(self.labels.max())
        if low < 0 or high >= class_count:
            raise DataError(
                f"labels: expected class numbers in [0, {class_count}), the rows of the semantics table, "
                f"got {low if low < 0 else high}; correct the labels, or add rows to the table"
            )
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
        notes = tuple(dict.fromkeys((*self.semantics.notes, *self.notes)))
        object.__setattr__(self, "notes", _with_note_of_equal_classes(notes, self.semantics))

    def __repr__(self) -> str:
        return f"Benchmark({self.name!r}, {self.contents})"

    @property
    def contents(self) -> str:
        """What it holds, such as ``408 images, 14 seen and 3 unseen classes, 51 attributes``."""
        return (
            f"{len(self.labels)} {self.kind}, {len(self.seen_classes)} seen and {len(self.unseen_classes)} unseen "
            f"classes, {len(self.semantics.attributes)} attributes"
        )

    @property
    def kind(self) -> Literal["features", "images"]:
        """Whether a backbone is needed to turn the inputs into regions."""
        return "features" if isinstance(self.inputs, Tensor) and self.inputs.is_floating_point() else "images"

    @property
    def of_photos(self) -> bool:
        """Whether the inputs are photos in files, or regions of photos in a store."""
        return self.regions is not None or not isinstance(self.inputs, Tensor)

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
            raise DataError(
                f"inputs: expected images [N, 1 or 3, height, width], got shape {tuple(inputs.shape)}; convert them"
            )
        return
    if not inputs.is_floating_point() or inputs.ndim not in (2, 3):
        raise DataError(
            f"inputs: expected floating-point features [N, D] or regions [N, R, D], or uint8 images [N, C, H, W], "
            f"got {inputs.dtype} of shape {tuple(inputs.shape)}; convert them"
        )


def _check_finite(inputs: Tensor) -> None:
    # The mask is made in slices, because one of all regions might not fit into memory beside them.
    for start in range(0, len(inputs), 4096):
        rows = inputs[start : start + 4096]
        finite = rows.isfinite().flatten(1).all(dim=1)
        if not bool(finite.all()):
            bad = start + int((~finite).nonzero()[0])
            raise DataError(
                f"inputs: expected finite features, got NaN or infinity in row {bad}; correct the row, or leave it out"
            )


def identify_inputs(inputs: Tensor | Sequence[Path | Crop], content: bool = False) -> list[Any]:
    """Return values of JSON that identify the inputs, in their order.

    A file is identified by its name below the folder that contains all files, its size in bytes and its box, because
    reading every file may take minutes, and because the folder may move; a missing one is a DataError. With
    ``content``, the sha256 of its bytes takes the place of name and size. Each decoded image has a sha256, and features
    have one together.
    """
    if isinstance(inputs, Tensor):
        return [fingerprint(inputs)] if inputs.is_floating_point() else [fingerprint(image) for image in inputs]
    # Links are not followed, because a data set may be a folder of links to files in many places.
    files = [file_of(source) for source in inputs]
    paths = [path if is_remote(path) else Path(os.path.abspath(path)) for path in files]
    common = os.path.commonpath([path.parent for path in paths])
    boxes = [list(source.box) if isinstance(source, Crop) else [] for source in inputs]
    try:
        if content:
            sums = on_threads(lambda number: sha256(read_bytes(paths[number])), len(paths))
            return [[checksum, *box] for checksum, box in zip(sums, boxes, strict=True)]
        return [
            [path.relative_to(common).as_posix(), size, *box]
            for path, size, box in zip(paths, on_threads(lambda n: size_of(paths[n]), len(paths)), boxes, strict=True)
        ]
    except OSError as error:
        raise DataError(
            f"{error.filename}: no such image ({error.strerror}); restore it, or read the data anew"
        ) from error


def benchmark_checksums(data: Benchmark, inputs: Sequence[Any] | None = None) -> dict[str, str]:
    """Return a sha256 of each part of a benchmark, apart from its name and notes.

    ``inputs`` are the result of :func:`identify_inputs`; None computes it. A store of regions has a checksum of its
    own, because reading all regions could take minutes.
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
    """Return the identity of a benchmark for the record of a run: name, sizes, notes, :func:`benchmark_checksums`."""
    checksums = benchmark_checksums(data)
    # Records of runs without a range are equal to those of versions that had none.
    chosen = {} if data.value_range is None else {"value_range": [*data.value_range]}
    return chosen | {
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
