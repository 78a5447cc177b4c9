"""Which classes are unseen and which validate: by name, or drawn by a seed."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from rezsl.data._held_out import hold_out_classes
from rezsl.errors import ArgumentError, name_some
from rezsl.semantics import ClassSemantics


@dataclass(frozen=True)
class ClassRoles:
    """What each class is for; the four parts are disjoint and make up the table, each in the table's order.

    Attributes:
        train: trained on in both stages.
        validation: validates the selection stage, then is trained on.
        unseen: has images that are only tested on.
        undepicted: has a row of semantics but no images: unseen, and nothing to test it on.
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

    Args:
        semantics: the classes.
        labels: row of the table of every image.
        unseen: names, or the share of the classes with images, in ``[0, 1)``. A share above 0 is rounded to a number
            of classes, at least one, and leaves at least two seen.
        validation: names, or the share of the remaining classes, in the same way.
        unseen_seed: of the draw of unseen classes.
        validation_seed: of the draw of validation classes.

    Raises:
        ArgumentError: a share is out of range or leaves too few classes; a name is unknown, has no images, or occurs
            in both lists; no class at all would be unseen.
    """
    everything = torch.arange(len(labels))
    depicted = _names(labels, semantics)
    undepicted = tuple(name for name in semantics.classes if name not in depicted)
    held_out = _chosen("unseen", unseen, depicted, undepicted) or _drawn(
        "unseen", unseen, everything, labels, semantics, unseen_seed
    )
    if not held_out and not undepicted:
        raise ArgumentError("unseen: every class has images and none is left out of training; name at least one class")
    rest = everything[~torch.isin(labels, torch.tensor(semantics.index(held_out), dtype=torch.int64))]
    validating = _chosen("validation", validation, depicted, undepicted) or _drawn(
        "validation", validation, rest, labels, semantics, validation_seed
    )
    if shared := [name for name in validating if name in held_out]:
        raise ArgumentError(f"validation: expected classes that are not unseen, got {name_some(shared)}; see unseen")
    train = tuple(name for name in depicted if name not in held_out and name not in validating)
    if not train:
        raise ArgumentError("unseen, validation: expected at least one class to be left for training, got none")
    return ClassRoles(train, validating, held_out, undepicted)


def _chosen(
    argument: str, wanted: float | Sequence[str], depicted: tuple[str, ...], undepicted: tuple[str, ...]
) -> tuple[str, ...]:
    """The named classes in the table's order; none where a share is given."""
    if isinstance(wanted, str):
        raise ArgumentError(f"{argument}: expected a share or a list of class names, got the single text {wanted!r}")
    if isinstance(wanted, int | float):
        return ()
    if empty := [name for name in wanted if name in undepicted]:
        raise ArgumentError(
            f"{argument}: expected classes with images, got {name_some(empty)}; without them they are unseen anyway"
        )
    if unknown := [name for name in wanted if name not in depicted]:
        raise ArgumentError(
            f"{argument}: no class is called {name_some(unknown)}; expected names of semantics.csv, or a share below 1"
        )
    return tuple(name for name in depicted if name in wanted)


def _drawn(
    argument: str,
    share: float | Sequence[str],
    index: Int[Tensor, "K"],
    labels: Int[Tensor, "N"],
    semantics: ClassSemantics,
    seed: int,
) -> tuple[str, ...]:
    """Classes among those of the indexed images, drawn by a seed; none where an empty list was given."""
    if not isinstance(share, int | float):
        return ()
    if not 0 <= share < 1:
        raise ArgumentError(f"{argument}: expected a share of at least 0 and below 1, or class names, got {share}")
    if share == 0:
        return ()
    count = len(labels[index].unique())
    if count < 3:
        raise ArgumentError(
            f"{argument}: expected at least 3 classes to draw from, to hold one out and still compare two, "
            f"got {count}; name the classes, or set it to 0"
        )
    _, held_out = hold_out_classes(index, labels, share, seed)
    return _names(labels[held_out], semantics)


def _names(labels: Int[Tensor, "K"], semantics: ClassSemantics) -> tuple[str, ...]:
    return tuple(semantics.classes[row] for row in labels.unique().tolist())
