"""The split of a benchmark's images into training, validation and test."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from rezsl.errors import DataError


def _none() -> Tensor:
    return torch.empty(0, dtype=torch.int64)


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

        Raises:
            DataError: an index is out of range or repeated, parts overlap, or classes that must be disjoint are not.
        """
        for name, index in self.parts().items():
            if len(index) and not 0 <= int(index.min()) <= int(index.max()) < len(labels):
                wrong = int(index.min() if index.min() < 0 else index.max())
                raise DataError(f"split.{name}: expected indices in [0, {len(labels)}), got {wrong}")
            if len(index.unique()) != len(index):
                raise DataError(f"split.{name}: an image is listed more than once")
        if not len(self.trainval):
            raise DataError("split.trainval: expected at least one training image, got none")
        tested = (("trainval", "test_seen"), ("trainval", "test_unseen"), ("test_seen", "test_unseen"))
        for left, right in (*tested, ("train", "val")):
            if shared := int(torch.isin(getattr(self, left), getattr(self, right)).sum()):
                raise DataError(f"split.{left} and split.{right}: expected no image in both, got {shared}")
        for name in ("train", "val"):
            outside = ~torch.isin(getattr(self, name), self.trainval)
            if bool(outside.any()):
                raise DataError(f"split.{name}: {int(outside.sum())} images are not part of trainval")

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
            raise DataError("split.train and split.val: expected both or neither, got one of them empty")
