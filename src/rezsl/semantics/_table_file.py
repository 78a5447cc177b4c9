"""The table of class semantics as people write it in a spreadsheet: with words, percentages and unknown cells."""

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.errors import DataError, name_some, one_line_of
from rezsl.files import and_others, comments_of, delimiter_of, note_on_encoding, read_csv
from rezsl.semantics._near_names import plain_name, spelling

UNKNOWN = ("", "?", "n/a", "#n/a", "na", "nan", "unknown")
"""Cells whose value is unknown. A dash is none of them, because it means "no" in many catalogues."""

MARKS = ("x", "✓", "✔")
YES = ("yes", "y", "true", *MARKS, "ja", "j", "wahr", "oui", "vrai", "sí", "si", "verdadero", "vero")
NO = ("no", "n", "false", "nein", "falsch", "non", "faux", "falso")
WORDS = {**dict.fromkeys(YES, 1.0), **dict.fromkeys(NO, 0.0)}
"""Words and marks that are read as numbers: in English, and as spreadsheets write them in some other languages."""

EXPECTED = "a number, a percentage, yes, no, x, or ? for an unknown value"
ON_ONE_SCALE = "a number from -1 to 1 beside words or percentages, which are read as 0 to 1"

Cell = tuple[int, int]
"""The class and the attribute of a cell, counted from 0."""

_DRAFTED = re.compile(r"(?i)drafted(?:\s+by)?:?\s*(.+?)(?:: review every value.*)?")

_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*(%?)")


class TableFile(NamedTuple):
    """The contents of a file.

    Attributes:
        classes: C names.
        attributes: S names.
        values: attributes of each class, ``[C, S]``.
        notes: what the reader decided, one sentence each.
        drafted: what drafted the values; empty where the file has no such mark.
    """

    classes: tuple[str, ...]
    attributes: tuple[str, ...]
    values: Float[Tensor, "C S"]
    notes: tuple[str, ...]
    drafted: str = ""


class Sheet(NamedTuple):
    """The cells of a file by class and attribute, and the lines of the file in which they are.

    The lines are those of classes, or those of attributes where the sheet is ``transposed``.
    """

    path: Path
    classes: tuple[str, ...]
    attributes: tuple[str, ...]
    cells: list[list[str]]
    lines: list[int]
    transposed: bool

    def place(self, row: int, column: int) -> str:
        """Return the file, line and column of a cell for a message."""
        if self.transposed:
            return f"{self.path}, line {self.lines[column]}, class {self.classes[row]!r}"
        return f"{self.path}, line {self.lines[row]}, attribute {self.attributes[column]!r}"


def read_table(path: Path, known_classes: Iterable[str] = ()) -> TableFile:
    """Read the table of :meth:`rezsl.ClassSemantics.from_csv`, which describes the accepted forms.

    Raises:
        DataError: a cell, a name or the shape of the table cannot be read; the message names file, line and column.
    """
    delimiter = delimiter_of(path, DataError)
    header, rows = read_csv(path, DataError, delimiter=delimiter)
    sheet = _sheet(path, header, rows, {spelling(name) for name in known_classes})
    comments = comments_of(path, DataError)
    drafted = next((found[1] for comment in comments if (found := _DRAFTED.fullmatch(comment))), "")
    notes = [note_on_draft(path.name, drafted)] * bool(drafted) + note_on_encoding(path)
    notes += [f"{path.name} has a row per attribute and a column per class, and was read so"] * sheet.transposed
    if delimiter != ",":
        _check_decimal_marks(sheet)
    file = table_of(sheet, decimal_comma=delimiter != ",")
    return file._replace(notes=(*notes, *file.notes), drafted=drafted)


def table_of(sheet: Sheet, decimal_comma: bool) -> TableFile:
    """Read the cells of a sheet as numbers; the errors are those of :func:`read_table`."""
    values, marked = _values(sheet, decimal_comma)
    blank = f"{sheet.path.name}: a blank cell means no where all others of the attribute are x: {name_some(marked)}"
    filled, note = _filled(sheet, torch.tensor(values, dtype=torch.float64))
    return TableFile(sheet.classes, sheet.attributes, filled, (*[blank] * bool(marked), *note))


def draft_mark(drafted: str) -> str:
    """Return the line that marks a table as drafted, without a comma, so that a spreadsheet keeps it in one cell."""
    return f"# drafted by {one_line_of(drafted).replace(',', ';')}: review every value and then delete this line"


def note_on_draft(name: str, drafted: str) -> str:
    """Return the note of a table that is marked as drafted."""
    return (
        f"{name} is a draft by {drafted}: nobody has confirmed its values yet; review them, and then delete the line "
        f"that begins with '# drafted'"
    )


def _sheet(path: Path, header: list[str], rows: list[tuple[int, list[str]]], known: set[str]) -> Sheet:
    while header and not header[-1] and not any(cells[-1].strip() for _, cells in rows):
        header, rows = header[:-1], [(line, cells[:-1]) for line, cells in rows]
    corner, *across = map(plain_name, header or [""])
    down = [plain_name(cells[0]) for _, cells in rows]
    found_across, found_down = (sum(spelling(name) in known for name in names) for names in (across, down))
    # Names of classes decide; the heading of the first column does where no class is known.
    transposed = found_across > found_down or (not found_down and corner.lower() in ("attribute", "attributes"))
    if not across or not (transposed or found_down or corner.lower() == "class"):
        raise DataError(
            f"{path}: expected the header 'class,<attribute>,…', got {','.join(header)[:80]!r}; a table with a row per "
            f"attribute begins with 'attribute,<class>,…'"
        )
    if not rows:
        raise DataError(f"{path}: expected a row per class below the header, got none; add rows")
    lines, cells = [line for line, _ in rows], [cells[1:] for _, cells in rows]
    first_line: dict[str, int] = {}
    for row, name in enumerate(down):
        if name and (first := first_line.setdefault(name, lines[row])) != lines[row]:
            raise DataError(
                f"{path}, line {lines[row]}: expected unique names, got {name!r} again, which is in line {first}; "
                f"keep one of them"
            )
    if transposed:
        return Sheet(path, tuple(across), tuple(down), list(map(list, zip(*cells, strict=True))), lines, transposed)
    return Sheet(path, tuple(down), tuple(across), cells, lines, transposed)


def _check_decimal_marks(sheet: Sheet) -> None:
    """Refuse a file with decimal commas and decimal points, because one of them then separates thousands."""
    found: dict[str, str] = {}
    for row, cells in enumerate(sheet.cells):
        for column, cell in enumerate(cells):
            if mark := re.search(r"\d([.,])\d", cell):
                found.setdefault(mark[1], f"{cell!r} at {sheet.place(row, column)}")
    if len(found) == 2:
        raise DataError(
            f"{sheet.path}: expected one decimal mark and no marks for thousands, got {found[',']} and {found['.']}; "
            f"write all numbers in one way"
        )


def _values(sheet: Sheet, decimal_comma: bool) -> tuple[list[list[float]], list[str]]:
    """Return the values by class, with NaN where unknown, and the attributes in which a blank means no."""
    columns, marked, unread, beyond = [], [], list[Cell](), list[Cell]()
    for column, attribute in enumerate(sheet.attributes):
        texts = [cells[column].strip().lower().replace("−", "-") for cells in sheet.cells]
        written = {text for text in texts if text not in UNKNOWN}
        if "" in texts and written and written <= {*MARKS}:
            texts = [text or "no" for text in texts]
            marked.append(attribute)
        numbers = [number_of(text.replace(",", ".") if decimal_comma else text) for text in texts]
        unread += [(row, column) for row, number in enumerate(numbers) if number is None]
        columns.append([math.nan if number is None else number for number in numbers])
        beyond += [(row, column) for row in _beyond_scale(texts, columns[-1])]
    _refuse(sheet, unread, EXPECTED, "; correct the cell")
    _refuse(sheet, beyond, ON_ONE_SCALE, "; write the attribute in one way")
    return list(map(list, zip(*columns, strict=True))), marked


def _refuse(sheet: Sheet, wrong: Sequence[Cell], expected: str, remedy: str) -> None:
    """Refuse a file with wrong cells: the message names the first one in the file, and counts the others."""
    if not wrong:
        return
    row, column = min(wrong, key=lambda cell: cell[::-1] if sheet.transposed else cell)
    place, got = sheet.place(row, column), sheet.cells[row][column]
    raise DataError(f"{place}: expected {expected}, got {got!r}{and_others(len(wrong), 'cell')}{remedy}")


def number_of(text: str) -> float | None:
    """Return the number of a cell in small letters, NaN where it is unknown, and None where it cannot be read."""
    if text in UNKNOWN:
        return math.nan
    if text in WORDS:
        return WORDS[text]
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    return float(found[1]) / 100 if found[2] else float(found[1])


def _beyond_scale(texts: Sequence[str], numbers: Sequence[float]) -> list[int]:
    """Return the rows with numbers beyond 1 in a column of words or percentages, which are read as 0 to 1."""
    scaled = [text in WORDS or text.endswith("%") for text in texts]
    if not any(scaled):
        return []
    pairs = zip(scaled, numbers, strict=True)
    return [row for row, (is_scaled, number) in enumerate(pairs) if not is_scaled and abs(number) > 1]


def _filled(sheet: Sheet, values: Float[Tensor, "C S"]) -> tuple[Float[Tensor, "C S"], list[str]]:
    """Replace unknown values, NaN, by the mean of their attribute over the classes where it is known."""
    unknown = values.isnan()
    for what, names, nothing in (
        ("class", sheet.classes, unknown.all(dim=1)),
        ("attribute", sheet.attributes, unknown.all(dim=0)),
    ):
        if bool(nothing.any()):
            position = int(nothing.nonzero()[0])
            in_line = (what == "attribute") == sheet.transposed
            place = f"{sheet.path}, line {sheet.lines[position]}" if in_line else f"{sheet.path}"
            raise DataError(
                f"{place}: expected a known value for {what} {names[position]!r}, got none; fill in one or remove it"
            )
    cells = unknown.nonzero().tolist()
    if not cells:
        return values, []
    some = ", ".join(f"{sheet.attributes[column]!r} of {sheet.classes[row]!r}" for row, column in cells[:3])
    more = f" and {len(cells) - 3} more" if len(cells) > 3 else ""
    note = (
        f"{sheet.path.name}: {len(cells)} unknown cell{'s' if len(cells) > 1 else ''} took the mean of the attribute "
        f"over the classes where it is known: {some}{more}"
    )
    return torch.where(unknown, values.nanmean(dim=0), values), [note]
