"""The changes that a person makes to a table of classes, as the page sends them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from rezsl.errors import DataError, shortened
from rezsl.semantics import ClassSemantics, plain_name

MOST_CHANGED = 1000
"""The most rows that a page can change or add; whoever writes more of them uses a spreadsheet."""

LONGEST_NAME = 200

LARGEST = torch.finfo(torch.float32).max

SHOWN = 40
"""Characters of a name in a message."""


def changed(table: ClassSemantics, changes: Any) -> ClassSemantics:
    """Return a table with the changes of a page.

    Args:
        table: the table before them.
        changes: ``{"removed": [names], "rows": {name: [S numbers]}}``, as JSON has it. A row replaces that of the same
            name, and otherwise stands below all others. A class that is renamed is removed and added.

    Raises:
        DataError: the changes have another form, or no table is left; the message is one line for the person.
    """
    if not isinstance(changes, Mapping) or not changes.keys() <= {"removed", "rows"}:
        raise DataError(f"changes: expected an object with removed and rows, got {_short(changes)}; reload the page")
    removed, rows = changes.get("removed", []), changes.get("rows", {})
    if not isinstance(removed, list) or not isinstance(rows, Mapping) or not all(map(_is_text, removed)):
        raise DataError("changes: expected a list of removed names and rows by name, got others; reload the page")
    if len(rows) > MOST_CHANGED:
        raise DataError(
            f"changes: expected at most {MOST_CHANGED} changed rows, got {len(rows)}; change the table's file, and "
            f"start again with --classes"
        )
    left = [name for name in table.classes if name not in {*map(plain_name, removed)}]
    new = {_name(name): _row(name, numbers, len(table.attributes)) for name, numbers in rows.items()}
    if not left and not new:
        raise DataError("classes: expected at least one class, got none; undo the last step, or add a class")
    kept = table.only(left).values if left else table.values[:0]
    classes = (*left, *(name for name in new if name not in left))
    place = {name: position for position, name in enumerate(classes)}
    values = torch.cat([kept, kept.new_zeros(len(classes) - len(left), kept.shape[1])])
    for name, numbers in new.items():
        values[place[name]] = torch.tensor(numbers)
    return replace(table, classes=classes, values=values, notes=())


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_NAME


def _name(name: str) -> str:
    if not _is_text(name) or not plain_name(name):
        raise DataError(f"class: expected a name of 1 to {LONGEST_NAME} characters, got {_short(name)}; shorten it")
    return plain_name(name)


def _row(name: str, numbers: Any, count: int) -> list[float]:
    valid = isinstance(numbers, list) and len(numbers) == count
    if not valid or not all(type(number) in (int, float) and abs(number) <= LARGEST for number in numbers):
        raise DataError(f"class {_short(name)}: expected {count} finite numbers, got others; reload the page")
    return [float(number) for number in numbers]


def _short(value: Any) -> str:
    return repr(shortened(value if isinstance(value, str) else type(value).__name__, SHOWN))
