"""How far off mistakes are, where the classes form groups: a warbler that is taken for a sparrow is still a bird."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from rezsl.errors import ArgumentError, DataError, name_some
from rezsl.evaluation._evaluation import Evaluation
from rezsl.files import and_others, delimiter_of, local_path, read_csv
from rezsl.functional.choices import choice_distances
from rezsl.functional.scoring import calibrated_choice


class HierarchicalErrors(NamedTuple):
    """How far the chosen classes are from the true ones in a hierarchy of groups, at the γ of the evaluation.

    Distances are those of :func:`rezsl.functional.choices.group_distances`, in ``[0, 1]``.

    Attributes:
        seen: mean distance of the choices for samples of seen classes, averaged over classes; NaN without any.
        unseen: the same for unseen classes.
        mistakes: mean distance over all wrong choices, each of which counts the same; NaN without any.
        right_group: share of the samples whose chosen class is of the finest group of the true class, averaged over
            classes.
    """

    seen: float
    unseen: float
    mistakes: float
    right_group: float


@torch.inference_mode()
def hierarchical_errors(evaluation: Evaluation, groups: Mapping[str, Sequence[str]]) -> HierarchicalErrors:
    """Measure how far off the choices of an evaluation among all its candidate classes are.

    Args:
        evaluation: one with its samples, as :func:`rezsl.evaluate` makes it.
        groups: the groups of each candidate class by its name, from the coarsest to the finest, such as
            ``{"horse": ["mammal", "hoofed"]}``; as many for each class. :func:`read_class_groups` reads them.

    Raises:
        ArgumentError: the evaluation has no samples.
        DataError: a class has no groups, or another number of them than the others.
    """
    samples = evaluation.samples
    if samples is None:
        raise ArgumentError(
            "evaluation: expected one with the predicted samples, got one without; make it by rezsl.evaluate"
        )
    classes = samples.semantics.classes
    table = _numbered(classes, groups)
    blocks = samples.score_blocks()
    chosen = torch.cat([calibrated_choice(scores, samples.is_seen, evaluation.gamma)[0] for _, scores in blocks])
    distances = choice_distances(table, samples.labels, chosen)
    near = distances < 1.5 / (table.shape[1] + 1)
    count = torch.bincount(samples.labels, minlength=len(classes))
    of_class, right = (
        torch.zeros(len(classes), dtype=torch.float64).index_add_(0, samples.labels, part.double()) / count
        for part in (distances, near)
    )
    return HierarchicalErrors(
        seen=float(of_class[samples.is_seen].nanmean()),
        unseen=float(of_class[~samples.is_seen].nanmean()),
        mistakes=float(distances[samples.labels != chosen].mean()),
        right_group=float(right.nanmean()),
    )


def _numbered(classes: Sequence[str], groups: Mapping[str, Sequence[str]]) -> torch.Tensor:
    """Return the number of each class's group on each level, ``[C, L]``, after a check of the groups."""
    if missing := [name for name in classes if not groups.get(name)]:
        raise DataError(f"groups: expected a group of each class, got none of {name_some(missing)}; add them")
    levels = len(groups[classes[0]])
    if uneven := [name for name in classes if len(groups[name]) != levels]:
        raise DataError(
            f"groups: expected as many groups of each class, {levels} as of {classes[0]!r}, got "
            f"{len(groups[uneven[0]])} of {uneven[0]!r}; repeat a group where a level is missing"
        )
    columns = list(zip(*(groups[name] for name in classes), strict=True))
    numbers = [{group: number for number, group in enumerate(dict.fromkeys(column))} for column in columns]
    rows = [[of[group] for of, group in zip(numbers, groups[name], strict=True)] for name in classes]
    return torch.tensor(rows)


def read_class_groups(path: str | Path) -> dict[str, tuple[str, ...]]:
    """Read the groups of classes from a CSV file: a column ``class``, and the groups from the coarsest to the finest.

    Raises:
        DataError: the file cannot be read, has no column of groups, or a class occurs twice or has an empty group.
    """
    path = local_path(path)
    header, rows = read_csv(path, DataError, ["class"], delimiter=delimiter_of(path, DataError))
    if len(header) < 2:
        raise DataError(f"{path}: expected a column of groups beside that of the classes, got none; add one")
    place = header.index("class")
    found: dict[str, tuple[str, ...]] = {}
    for line, cells in rows:
        name, groups = cells[place].strip(), tuple(cell.strip() for cell in cells[:place] + cells[place + 1 :])
        if name in found:
            raise DataError(f"{path}, line {line}: expected each class once, got {name!r} again; remove one line")
        if not all(groups):
            empty = sum(not group for group in groups)
            raise DataError(
                f"{path}, line {line}: expected a group in each column, got an empty cell"
                f"{and_others(empty, 'cell')}; repeat the group to its left"
            )
        found[name] = groups
    return found
