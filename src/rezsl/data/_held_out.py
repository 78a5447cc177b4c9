"""Classes and samples are held out by a seed; a seed gives the same split in every version."""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from rezsl.data._benchmark import Benchmark
from rezsl.data._split import Split
from rezsl.errors import DataError


@dataclass(frozen=True)
class SelectionSplit:
    """The images that the selection stage trains and validates on; all of them lie in ``trainval``.

    Attributes:
        train: images to train on.
        val_seen: held-out images of the classes in ``train``.
        val_unseen: images of validation classes, which have no image in ``train``.
    """

    train: Int[Tensor, "N"]
    val_seen: Int[Tensor, "N_seen"]
    val_unseen: Int[Tensor, "N_unseen"]


def selection_split(
    benchmark: Benchmark, seed: int, class_share: float = 0.2, sample_share: float = 0.2
) -> SelectionSplit:
    """Return the benchmark's validation classes (or classes drawn by ``seed``) and held-out samples of the others.

    Args:
        benchmark: only its ``trainval`` images are used.
        seed: seed of the draws.
        class_share: share of the seen classes to hold out where the benchmark has no validation classes.
        sample_share: share of each training class's images (whole groups) to hold out.

    Raises:
        DataError: there are fewer than three classes to draw from, or no training class can give up an image.
    """
    split, labels = benchmark.split, benchmark.labels
    if len(split.val):
        training_classes, val_unseen = split.train, split.val
    else:
        training_classes, val_unseen = hold_out_classes(split.trainval, labels, class_share, seed)
    train, val_seen = hold_out_samples(training_classes, labels, benchmark.groups, sample_share, seed)
    if not len(val_seen):
        raise DataError(
            "classes: every training class has a single image or group; validation needs one more of some class"
        )
    return SelectionSplit(train, val_seen, val_unseen)


def draw_split(
    labels: Int[Tensor, "N"],
    groups: Int[Tensor, "N"] | None,
    unseen_share: float,
    validation_share: float | None,
    seed: int,
) -> Split:
    """Draw unseen classes, a fifth of each seen class's images to test on, and validation classes (None: no classes).

    Raises:
        DataError: there are fewer than three classes to draw from.
    """
    seen, unseen = hold_out_classes(torch.arange(len(labels)), labels, unseen_share, seed)
    trainval, test_seen = hold_out_samples(seen, labels, groups, share=0.2, seed=seed)
    if validation_share is None:
        return Split(trainval, test_seen, unseen)
    return Split(trainval, test_seen, unseen, *hold_out_classes(trainval, labels, validation_share, seed))


def hold_out_classes(
    index: Int[Tensor, "N"], labels: Int[Tensor, "M"], share: float, seed: int
) -> tuple[Int[Tensor, "K"], Int[Tensor, "L"]]:
    """Divide an index into the images of kept and of held-out classes; at least one is held out, and two are kept."""
    classes = labels[index].unique()
    if len(classes) < 3:
        raise DataError(
            f"classes: expected at least 3 to choose from, to hold one out and still compare two, got {len(classes)}; "
            f"give more classes images"
        )
    count = min(max(1, round(share * len(classes))), len(classes) - 2)
    drawn = classes[torch.randperm(len(classes), generator=torch.Generator().manual_seed(seed))[:count]]
    held_out = torch.isin(labels[index], drawn)
    return index[~held_out], index[held_out]


def hold_out_samples(
    index: Int[Tensor, "N"],
    labels: Int[Tensor, "M"],
    groups: Int[Tensor, "M"] | None,
    share: float,
    seed: int,
    nearest: bool = False,
) -> tuple[Int[Tensor, "K"], Int[Tensor, "L"]]:
    """Divide an index so that about ``share`` of each class's images is held out, whole groups at a time.

    Groups are considered in an order drawn by ``seed``. A class with a single group keeps it, because a training class
    needs images.

    Args:
        index: the images to divide.
        labels: class of every image.
        groups: group of every image; None if every image is its own group.
        share: share of each class, in ``[0, 1)``.
        seed: seed of the order.
        nearest: if false, groups are held out until the share is reached. If true, a group is skipped if the class
            would come further from the share with it, so that objects with very many frames stay in training.
    """
    generator = torch.Generator().manual_seed(seed)
    groups = torch.arange(len(labels)) if groups is None else groups
    held_out = torch.zeros(len(index), dtype=torch.bool)
    for label in labels[index].unique():
        members = (labels[index] == label).nonzero().squeeze(1)
        present, count = groups[index[members]].unique(return_counts=True)
        order = torch.randperm(len(present), generator=generator)
        wanted = share * len(members)
        if nearest:
            taken = torch.tensor(_nearest(order.tolist(), count.tolist(), wanted), dtype=torch.int64)
        else:
            taken = order[:-1][(count[order].cumsum(0) - count[order])[:-1] < wanted]
        held_out[members] = torch.isin(groups[index[members]], present[taken])
    return index[~held_out], index[held_out]


def _nearest(order: list[int], counts: list[int], wanted: float) -> list[int]:
    """Return positions of groups that together come near the wanted number: at least one group, but never all."""
    if not wanted or len(order) == 1:
        return []
    taken: list[int] = []
    size = 0
    for position in order:
        if len(taken) < len(order) - 1 and abs(size + counts[position] - wanted) < abs(size - wanted):
            taken.append(position)
            size += counts[position]
    return taken or [min(order, key=lambda position: counts[position])]
