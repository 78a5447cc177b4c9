"""Unseen classes and validation classes are chosen by name, or drawn by a seed."""

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

    Args:
        semantics: the classes.
        labels: row of the table of every image.
        unseen: names, or the share of the classes with images, in ``[0, 1)``. A share above 0 is rounded to a number
            of classes, at least one, and leaves at least two seen.
        validation: names, or the share of the remaining classes, in the same way.
        unseen_seed: seed of the draw of unseen classes.
        validation_seed: seed of the draw of validation classes.

    Raises:
        ArgumentError: a share is out of range or leaves too few classes; a name is unknown, has no images, or occurs
            in both lists; no class at all would be unseen.
    """
    depicted = _names(labels, semantics)
    undepicted = tuple(name for name in semantics.classes if name not in depicted)
    if isinstance(unseen, int | float):
        held_out = _names(_drawn("unseen", unseen, labels, unseen_seed), semantics)
    else:
        held_out = _chosen("unseen", unseen, depicted, undepicted)
    if not held_out and not undepicted:
        raise ArgumentError("unseen: every class has images and none is left out of training; name at least one class")
    if isinstance(validation, int | float):
        rest = labels[~torch.isin(labels, torch.tensor(semantics.index(held_out), dtype=torch.int64))]
        validating = _names(_drawn("validation", validation, rest, validation_seed), semantics)
    else:
        validating = _chosen("validation", validation, depicted, undepicted)
    if shared := [name for name in validating if name in held_out]:
        raise ArgumentError(f"validation: expected classes that are not unseen, got {name_some(shared)}; see unseen")
    train = tuple(name for name in depicted if name not in held_out and name not in validating)
    if not train:
        raise ArgumentError("unseen, validation: expected at least one class to be left for training, got none")
    return ClassRoles(train, validating, held_out, undepicted)


def _chosen(
    argument: str, names: Sequence[str], depicted: tuple[str, ...], undepicted: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the named classes in the table's order."""
    if isinstance(names, str):
        raise ArgumentError(f"{argument}: expected a share or a list of class names, got the single text {names!r}")
    if empty := [name for name in names if name in undepicted]:
        raise ArgumentError(
            f"{argument}: expected classes with images, got {name_some(empty)}; without them they are unseen anyway"
        )
    if unknown := [name for name in names if name not in depicted]:
        raise ArgumentError(
            f"{argument}: no class is called {name_some(unknown)}; expected names of semantics.csv, or a share below 1"
        )
    return tuple(name for name in depicted if name in names)


def _drawn(argument: str, share: float, labels: Int[Tensor, "K"], seed: int) -> Int[Tensor, "L"]:
    """Return labels of held-out images, whose classes are drawn among those of the given labels."""
    if not 0 <= share < 1:
        raise ArgumentError(f"{argument}: expected a share of at least 0 and below 1, or class names, got {share}")
    if share == 0:
        return labels[:0]
    if (count := len(labels.unique())) < 3:
        raise ArgumentError(
            f"{argument}: expected at least 3 classes to draw from, to hold one out and still compare two, "
            f"got {count}; name the classes, or set it to 0"
        )
    return labels[hold_out_classes(torch.arange(len(labels)), labels, share, seed)[1]]


def _names(labels: Int[Tensor, "K"], semantics: ClassSemantics) -> tuple[str, ...]:
    return tuple(semantics.classes[row] for row in labels.unique().tolist())
