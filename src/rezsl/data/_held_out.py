"""Classes and samples are held out by name or by a seed, which gives the same split in every version."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from rezsl.data._benchmark import Benchmark, Split
from rezsl.errors import ArgumentError, DataError, name_some
from rezsl.semantics import ClassSemantics, did_you_mean, plain_name

LEAST_CLASSES = 3
"""The least number of classes with images for a selection: one is held out, and two are compared."""


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
    return _checked(SelectionSplit(train, val_seen, val_unseen))


def _checked(split: SelectionSplit) -> SelectionSplit:
    if not len(split.val_seen):
        raise DataError(
            "classes: every training class has a single image or group; validation needs one more of some class"
        )
    return split


def class_folds(benchmark: Benchmark, folds: int, seed: int, sample_share: float = 0.2) -> tuple[SelectionSplit, ...]:
    """Divide the seen classes into folds; each serves once as the validation classes, and every class in one fold.

    Args:
        benchmark: only its ``trainval`` images are used, and its own validation classes count as any other seen class.
        folds: number of folds, at least 2; there are no more folds than seen classes, and enough of them that each
            trains on two classes.
        seed: seed of the draws.
        sample_share: share of each training class's images (whole groups) to hold out.

    Raises:
        DataError: there are fewer than three seen classes, or no training class can give up an image.
    """
    index, labels = benchmark.split.trainval, benchmark.labels
    check_classes(classes := labels[index].unique())
    drawn = classes[torch.randperm(len(classes), generator=torch.Generator().manual_seed(seed))]
    splits = []
    folds = min(folds, len(classes))
    while len(classes) - math.ceil(len(classes) / folds) < 2:  # every fold trains on at least two classes
        folds += 1
    for fold in range(folds):
        held_out = torch.isin(labels[index], drawn[fold::folds])
        train, val_seen = hold_out_samples(index[~held_out], labels, benchmark.groups, sample_share, seed)
        splits.append(_checked(SelectionSplit(train, val_seen, index[held_out])))
    return tuple(splits)


def draw_split(
    labels: Int[Tensor, "N"],
    groups: Int[Tensor, "N"] | None,
    unseen_share: float,
    validation_share: float,
    seed: int,
) -> Split:
    """Draw unseen classes, a fifth of each seen class's images to test on, and validation classes."""
    seen, unseen = hold_out_classes(torch.arange(len(labels)), labels, unseen_share, seed)
    trainval, test_seen = hold_out_samples(seen, labels, groups, share=0.2, seed=seed)
    return Split(trainval, test_seen, unseen, *hold_out_classes(trainval, labels, validation_share, seed))


def hold_out_classes(
    index: Int[Tensor, "N"], labels: Int[Tensor, "M"], share: float, seed: int
) -> tuple[Int[Tensor, "K"], Int[Tensor, "L"]]:
    """Divide an index into the images of kept and of held-out classes; at least one is held out, and two are kept."""
    check_classes(classes := labels[index].unique())
    count = min(max(1, round(share * len(classes))), len(classes) - 2)
    drawn = classes[torch.randperm(len(classes), generator=torch.Generator().manual_seed(seed))[:count]]
    held_out = torch.isin(labels[index], drawn)
    return index[~held_out], index[held_out]


def check_classes(classes: Tensor) -> None:
    """Raise a :class:`DataError` where there are too few classes to hold one out."""
    if len(classes) < LEAST_CLASSES:
        raise DataError(
            f"classes: expected at least {LEAST_CLASSES} to choose from, to hold one out and still compare two, "
            f"got {len(classes)}; give more classes images"
        )


def hold_out_samples(
    index: Int[Tensor, "N"],
    labels: Int[Tensor, "M"],
    groups: Int[Tensor, "M"] | None,
    share: float,
    seed: int,
    nearest: bool = False,
) -> tuple[Int[Tensor, "K"], Int[Tensor, "L"]]:
    """Divide an index so that about ``share`` of each class's images is held out, whole groups at a time.

    Groups (None: each image is one) are considered in an order drawn by ``seed``, and held out until the share is
    reached; with ``nearest``, a group is skipped if the class would come further from the share with it, so that
    objects with very many frames stay in training. A class with a single group keeps it, because a training class needs
    images.
    """
    generator = torch.Generator().manual_seed(seed)
    groups = torch.arange(len(labels)) if groups is None else groups
    held_out = torch.zeros(len(index), dtype=torch.bool)
    own = labels[index]
    sizes = own.unique(return_counts=True)[1].tolist()
    for members in own.argsort(stable=True).split(sizes):
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


@dataclass(frozen=True)
class ClassRoles:
    """The role of each class; the four parts are disjoint and together the table, each in the table's order.

    Attributes:
        train: classes trained on in both stages.
        validation: classes that validate the selection stage, and are trained on afterwards.
        unseen: classes with images that are only tested on.
        undepicted: classes with a row of class semantics but without images; they are unseen, and cannot be tested.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    unseen: tuple[str, ...]
    undepicted: tuple[str, ...]


def choose_roles(
    semantics: ClassSemantics,
    labels: Int[Tensor, "N"],
    unseen: float | Sequence[str],
    validation: float | Sequence[str],
    unseen_seed: int,
    validation_seed: int,
) -> ClassRoles:
    """Give every class of the table its role.

    ``unseen`` is a list of names, or the share of the classes with images, in ``[0, 1)``. A share above 0 is rounded to
    a number of classes, at least one, and leaves at least two seen. ``validation`` is the same of the other classes.
    """
    depicted = semantics.classes_of(labels)
    with_images = set(depicted)
    undepicted = tuple(name for name in semantics.classes if name not in with_images)

    def choose(argument: str, choice: float | Sequence[str], among: Tensor, seed: int) -> tuple[str, ...]:
        if isinstance(choice, int | float):
            return semantics.classes_of(_draw(argument, choice, among, seed))
        if isinstance(choice, str):
            raise ArgumentError(
                f"{argument}: expected a share or a list of class names, got the single text {choice!r}"
                "; put it into a list"
            )
        choice = list(dict.fromkeys(map(plain_name, choice)))
        if empty := [name for name in choice if name in undepicted]:
            raise ArgumentError(
                f"{argument}: expected classes with images, got {name_some(empty)}; without them they are unseen anyway"
            )
        if unknown := [name for name in choice if name not in with_images]:
            raise ArgumentError(
                f"{argument}: no class is called {name_some(unknown)}; expected names of semantics.csv, or a share "
                f"below 1{did_you_mean(unknown, [name for name in depicted if name not in choice])}"
            )
        chosen = set(choice)
        return tuple(name for name in depicted if name in chosen)

    held_out = choose("unseen", unseen, labels, unseen_seed)
    if not held_out and not undepicted:
        raise ArgumentError("unseen: every class has images and none is left out of training; name at least one class")
    rest = labels[~torch.isin(labels, torch.tensor(semantics.index(held_out), dtype=torch.int64))]
    validating = choose("validation", validation, rest, validation_seed)
    taken = set(held_out)
    if shared := [name for name in validating if name in taken]:
        raise ArgumentError(f"validation: expected classes that are not unseen, got {name_some(shared)}; see unseen")
    taken |= set(validating)
    train = tuple(name for name in depicted if name not in taken)
    if not train:
        raise ArgumentError(
            "unseen, validation: expected at least one class to be left for training, got none; hold out fewer"
        )
    return ClassRoles(train, validating, held_out, undepicted)


def _draw(argument: str, share: float, labels: Int[Tensor, "K"], seed: int) -> Int[Tensor, "L"]:
    """Return the labels of held-out images, whose classes are drawn among those of the given labels."""
    if not 0 <= share < 1:
        raise ArgumentError(f"{argument}: expected a share of at least 0 and below 1, or class names, got {share}")
    if share == 0:
        return labels[:0]
    if (count := len(labels.unique())) < LEAST_CLASSES:
        raise ArgumentError(
            f"{argument}: expected at least {LEAST_CLASSES} classes to draw from, to hold one out and still compare "
            f"two, got {count}; name the classes, or set it to 0"
        )
    return labels[hold_out_classes(torch.arange(len(labels)), labels, share, seed)[1]]
