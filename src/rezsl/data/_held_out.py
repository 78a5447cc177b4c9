"""Holding out classes and samples by a seed, and the selection stage's three sets made of both."""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from rezsl.data._benchmark import Benchmark
from rezsl.errors import DataError


@dataclass(frozen=True)
class SelectionSplit:
    """What the selection stage trains and validates on; all of it lies within ``trainval``.

    Attributes:
        train: images to train on.
        val_seen: held-out images of the classes in ``train``.
        val_unseen: images of validation classes, which ``train`` has none of.
    """

    train: Int[Tensor, "N"]
    val_seen: Int[Tensor, "N_seen"]
    val_unseen: Int[Tensor, "N_unseen"]


def selection_split(
    benchmark: Benchmark, seed: int, class_share: float = 0.2, sample_share: float = 0.2
) -> SelectionSplit:
    """Validation classes as the benchmark gives them (or drawn by ``seed``), and held-out samples of the others.

    Args:
        benchmark: only its ``trainval`` images are touched.
        seed: of the draws.
        class_share: share of the seen classes to hold out where the benchmark names no validation classes.
        sample_share: share of each training class's images (whole groups) to hold out.
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


def hold_out_classes(
    index: Int[Tensor, "N"], labels: Int[Tensor, "M"], share: float, seed: int
) -> tuple[Int[Tensor, "K"], Int[Tensor, "L"]]:
    """Split an index into the images of kept and of held-out classes; at least one class is held out, two are kept."""
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
    index: Int[Tensor, "N"], labels: Int[Tensor, "M"], groups: Int[Tensor, "M"] | None, share: float, seed: int
) -> tuple[Int[Tensor, "K"], Int[Tensor, "L"]]:
    """Split an index so that about ``share`` of each class's images is held out, whole groups at a time.

    A class with a single group keeps it: a training class without images would not be one.
    """
    generator = torch.Generator().manual_seed(seed)
    groups = torch.arange(len(labels)) if groups is None else groups
    held_out = torch.zeros(len(index), dtype=torch.bool)
    for label in labels[index].unique():
        members = (labels[index] == label).nonzero().squeeze(1)
        present, count = groups[index[members]].unique(return_counts=True)
        order = torch.randperm(len(present), generator=generator)
        # Groups are taken until the share is reached; the last group that is left always stays.
        wanted = share * len(members)
        taken = order[:-1][(count[order].cumsum(0) - count[order])[:-1] < wanted]
        held_out[members] = torch.isin(groups[index[members]], present[taken])
    return index[~held_out], index[held_out]
