"""The examination of a table of class semantics: what keeps a model from recognising unseen classes, and a remedy."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.errors import ArgumentError, name_some
from rezsl.functional import varied_attributes
from rezsl.semantics._near_names import plain_name, same_spelling
from rezsl.semantics._table_checks import (
    CLOSE_DEGREES,
    OUTSIDE_SHARE,
    UNVARIED_SHARE,
    WORST,
    close_classes,
    dominant_attributes,
    other_scales,
    squared_shares,
    undetermined_shares,
    unvaried_attributes,
)
from rezsl.semantics.table import ClassSemantics, equal_rows

ONE_SCALE = "write all attributes on one scale, such as 0 to 1, by dividing each by its largest value"

Kind = Literal["names", "dominant", "scales", "unvaried", "few classes", "close"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a table.

    Attributes:
        kind: names, dominant, scales, unvaried, few classes or close.
        text: the facts, in one sentence without a full stop.
        remedy: what to do.
        details: one line for each class or pair that is concerned, the worst first.
    """

    kind: Kind
    text: str
    remedy: str
    details: tuple[str, ...] = ()


def examine(
    semantics: ClassSemantics,
    seen: Iterable[str],
    unseen: Iterable[str] | None = None,
    squared_errors: Float[Tensor, "S"] | None = None,
) -> tuple[Finding, ...]:
    """Return what keeps a model of the seen classes from recognising the unseen ones, the gravest first.

    - ``names``: classes or attributes whose names differ only in case, blanks, underscores or hyphens.
    - ``dominant``: few attributes make up most of the rows' squared lengths, see :func:`dominant_attributes`.
    - ``scales``: attributes on other scales than most, see :func:`other_scales`.
    - ``unvaried``: unseen classes rest on attributes in which all training classes are equal, see
      :func:`unvaried_attributes`.
    - ``few classes``: the training classes are too few for the attributes, see :func:`undetermined_shares`.
    - ``close``: classes that are hard to separate, see :func:`close_classes`. Equal rows are not among them, see
      :meth:`rezsl.ClassSemantics.indistinguishable`; nor is any where attributes are dominant, which makes rows close.

    Args:
        semantics: the table.
        seen: the training classes, at least one.
        unseen: the other classes to recognise; None takes all other classes of the table.
        squared_errors: the mean squared error of each attribute between L2-normalised predictions and rows, ``[S]``,
            where a model has been trained; None where none has.

    Raises:
        ArgumentError: ``seen`` is empty, or ``squared_errors`` is not one number of at least 0 per attribute.
        DataError: a class is not in the table.

    >>> table = ClassSemantics(("stop", "yield", "bend"), ("red", "edges"), torch.tensor([[1, 1], [1, 0], [0.2, 0]]))
    >>> [(finding.kind, finding.details) for finding in examine(table, ["yield", "bend"])]
    [('unvaried', ("stop: 50 %, 'edges'",))]
    """
    seen = list(map(plain_name, seen))
    if not seen:
        raise ArgumentError("seen: expected at least one training class, got none; name one")
    others = [name for name in semantics.classes if name not in seen] if unseen is None else list(unseen)
    rows = torch.tensor(semantics.index(seen)), torch.tensor(semantics.index(others), dtype=torch.int64)
    if squared_errors is not None:
        valid = squared_errors.shape == (len(semantics.attributes),) and bool((squared_errors >= 0).all())
        if not valid:
            raise ArgumentError(
                f"squared_errors: expected {len(semantics.attributes)} numbers of at least 0, one per attribute, got "
                f"shape {tuple(squared_errors.shape)}; take the mean over the rows of a class error matrix"
            )
    dominant = dominant_attributes(semantics)
    return (
        *_near_duplicates(semantics),
        *_dominant(semantics, dominant),
        *_scales(semantics, [column for column in other_scales(semantics) if column not in dominant]),
        *_unvaried(semantics, *rows),
        *_few_classes(semantics, *rows),
        *([] if dominant else _close(semantics, squared_errors)),
    )


def _near_duplicates(semantics: ClassSemantics) -> Iterator[Finding]:
    for what, names in (("classes", semantics.classes), ("attributes", semantics.attributes)):
        if groups := same_spelling(names):
            some = "; ".join(name_some(group, most=3) for group in groups[:3])
            yield Finding(
                "names",
                f"{what} whose names differ only in spelling: {some}",
                "if they are one, keep one of them; otherwise give them names that differ in a word",
                tuple(name_some(group) for group in groups[:WORST]),
            )


def _dominant(semantics: ClassSemantics, columns: Sequence[int]) -> Iterator[Finding]:
    if not columns:
        return
    share = float(squared_shares(semantics.values)[:, columns].sum(dim=1).mean())
    reach = semantics.values.abs().amax(dim=0)
    names = ", ".join(f"{semantics.attributes[column]!r} (up to {reach[column]:g})" for column in columns)
    yield Finding(
        "dominant",
        f"{names} {'makes' if len(columns) == 1 else 'make'} up {share * 100:.0f} % of the rows' squared lengths, more "
        f"than all other attributes together, which typically reach {reach.median():g}",
        ONE_SCALE,
    )


def _scales(semantics: ClassSemantics, columns: Sequence[int]) -> Iterator[Finding]:
    if not columns:
        return
    reach = semantics.values.abs().amax(dim=0)
    lines = [f"{semantics.attributes[column]!r}: up to {reach[column]:g}" for column in columns]
    yield Finding(
        "scales",
        f"{len(columns)} of {len(semantics.attributes)} attributes {'has' if len(columns) == 1 else 'have'} another "
        f"scale than most, which reach {reach[reach > 0].median():g}: {', '.join(lines[:3])}",
        ONE_SCALE,
        tuple(lines[:WORST]),
    )


def _unvaried(semantics: ClassSemantics, seen: Int[Tensor, "K"], unseen: Int[Tensor, "U"]) -> Iterator[Finding]:
    columns, shares = unvaried_attributes(semantics, seen, unseen)
    order = [row for row in shares.argsort(descending=True).tolist() if shares[row] >= UNVARIED_SHARE]
    alike = _separated_by_nothing_else(semantics, seen)
    if not columns or not (order or alike):
        return
    percents, lines = [], []
    for row in order:
        name, values = semantics.classes[unseen[row]], semantics.values[unseen[row]]
        ranked = values.abs().argsort(descending=True).tolist()
        held = _some(semantics.attributes, [column for column in ranked if column in columns and values[column]])
        percents.append(f"{shares[row] * 100:.0f} % of the row of {name!r}")
        lines.append(f"{name}: {shares[row] * 100:.0f} %, {held}")
    text, them = f"no training class varies in {_some(semantics.attributes, columns)}", "them" if columns[1:] else "it"
    if order:
        more = [f"a part of {len(order) - 2} other row{'s' if len(order) > 3 else ''}"] if len(order) > 2 else []
        text += f"; {' and '.join(percents[:2] + more)} rest{'' if order[1:] else 's'} on {them}"
    if alike:
        text += f"; no other attribute separates {name_some(alike[0], 3)}"
    text += f"; --varied-only true leaves {them} out of the scores"
    yield Finding(
        "unvaried",
        text,
        "train on a class that has them and one that has not, or describe the class by attributes of training classes",
        tuple(lines[:WORST]),
    )


def _separated_by_nothing_else(semantics: ClassSemantics, seen: Int[Tensor, "K"]) -> list[tuple[str, ...]]:
    """Group the classes that differ only in attributes in which all training classes are equal."""
    kept = semantics.values * varied_attributes(semantics.values[seen])
    described = kept.any(dim=1).nonzero().squeeze(1)
    groups = [tuple(semantics.classes[described[row]] for row in rows) for rows in equal_rows(kept[described])]
    known = semantics.indistinguishable()
    return [group for group in groups if group not in known]


def _some(names: Sequence[str], columns: Sequence[int]) -> str:
    return name_some([names[column] for column in columns], most=3)


def _few_classes(semantics: ClassSemantics, seen: Int[Tensor, "K"], unseen: Int[Tensor, "U"]) -> Iterator[Finding]:
    outside = undetermined_shares(semantics, seen, unseen)
    if not len(outside) or outside.median() <= OUTSIDE_SHARE:
        return
    worst = outside.argsort(descending=True).tolist()
    yield Finding(
        "few classes",
        f"{len(seen)} training classes are few for {len(semantics.attributes)} attributes: they do not determine "
        f"{outside.median() * 100:.0f} % of what sets an unseen class apart (median)",
        "photograph more classes, or use fewer attributes, each of which several training classes have and others lack",
        tuple(f"{semantics.classes[unseen[row]]}: {outside[row] * 100:.0f} %" for row in worst[:WORST]),
    )


def _close(semantics: ClassSemantics, squared_errors: Float[Tensor, "S"] | None) -> Iterator[Finding]:
    count, worst = close_classes(semantics, squared_errors)
    if not count:
        return
    names = semantics.classes
    unit = "°" if squared_errors is None else " of images taken for the other"
    lines = [
        f"{names[row]!r} and {names[column]!r}: "
        + (f"{number:.1f}{unit}" if squared_errors is None else f"{number * 100:.0f} %{unit}")
        for row, column, number in worst
    ]
    limit = (
        f"at less than {CLOSE_DEGREES:g}°, closer than models usually separate"
        if squared_errors is None
        else "closer than the errors of the model separate"
    )
    pairs = "1 pair of classes is" if count == 1 else f"{count:,} pairs of classes are"
    yield Finding(
        "close",
        f"{pairs} {limit}: {'; '.join(lines[:2])}",
        "add an attribute in which they clearly differ and other classes vary too, or make them one class",
        tuple(lines),
    )
