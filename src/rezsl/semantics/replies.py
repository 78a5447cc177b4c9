"""A table by a language model: the prompt that asks for it, and the reply as people copy it from a conversation."""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rezsl.errors import ArgumentError, DataError, check_at_least, name_some
from rezsl.files import csv_text, local_path, naming, read_text
from rezsl.semantics._near_names import plain_name, spelling
from rezsl.semantics._table_file import Sheet, note_on_draft, number_of, table_of
from rezsl.semantics.table import ClassSemantics

_DELIMITERS = (",", ";", "\t", "|")
_DECORATION = "*`_ \t"
"""Marks of Markdown around a name."""

_PROMPT = """\
I need a table that describes {count} classes of {kind} by {width} attributes, so that
a computer can recognise photos of them.

Fill in every cell with a number from 0 to 1: how far the attribute is to be seen
on a typical photo of the class. 0 means that no photo of the class shows it, 1 that
every photo does, and numbers between are for shares of the photos or for degrees.
Compare the classes within each attribute, so that a class that has more of it has
the larger number. Write ? where you do not know; do not guess, and do not leave a
cell empty.

The classes, one per line:
{classes}

The attributes, one per line:
{attributes}
{examples}
Reply with one CSV table in a code block and nothing else: the header below, then one
row per class in the order above, with the names written exactly as above.

```csv
{header}```
"""


@dataclass(frozen=True, eq=False)
class ReplyTable:
    """What the reply of a language model contains.

    Attributes:
        semantics: the table, marked as drafted, of the asked classes and attributes that the reply has.
        missing_classes: asked classes without a row.
        missing_attributes: asked attributes without a value.
        extra_classes: rows that were not asked for, and are left out.
        extra_attributes: columns that were not asked for, and are left out.
    """

    semantics: ClassSemantics
    missing_classes: tuple[str, ...] = ()
    missing_attributes: tuple[str, ...] = ()
    extra_classes: tuple[str, ...] = ()
    extra_attributes: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """One sentence for each of the four lists that is not empty."""
        lists = (
            ("classes without a row, which the table lacks", self.missing_classes),
            ("attributes without a value, which the table lacks", self.missing_attributes),
            ("rows of other names, which are left out", self.extra_classes),
            ("columns of other names, which are left out", self.extra_attributes),
        )
        return tuple(f"{what}: {name_some(names, most=10)}" for what, names in lists if names)


def semantics_prompt(
    classes: Sequence[str],
    attributes: Sequence[str],
    kind: str = "things",
    examples: ClassSemantics | None = None,
    most_examples: int = 5,
) -> str:
    """Return a text that asks any language model for a table; :func:`read_reply` reads the reply.

    Args:
        classes: names of classes.
        attributes: names of attributes.
        kind: a word in the plural for what all classes are, such as "birds".
        examples: a table by people with the same attributes, whose first rows show what is meant.
        most_examples: the most rows of it that are shown, at least 1.

    Raises:
        ArgumentError: a list is empty, or has a name twice or in two spellings.
        DataError: the examples lack an attribute.
    """
    check_at_least(1, most_examples=most_examples)
    classes, attributes = _asked(classes, "classes"), _asked(attributes, "attributes")
    shown = ""
    if examples is not None:
        if missing := [name for name in attributes if name not in examples.attributes]:
            raise DataError(f"examples: expected a column for each attribute, got none of {name_some(missing)}; add it")
        columns = [examples.attributes.index(name) for name in attributes]
        values = [[f"{value:.4g}" for value in row] for row in examples.values[:most_examples, columns].tolist()]
        lines = [[name, *row] for name, row in zip(examples.classes, values, strict=False)]
        text = csv_text(("class", *attributes), lines)
        shown = f"\nThese rows were given by people, and show what is meant:\n\n```csv\n{text}```\n"
    return _PROMPT.format(
        count=len(classes),
        width=len(attributes),
        kind=kind,
        classes="\n".join(f"- {name}" for name in classes),
        attributes="\n".join(f"- {name}" for name in attributes),
        examples=shown,
        header=csv_text(("class", *attributes), ()),
    )


def read_reply(
    path: str | Path, classes: Sequence[str], attributes: Sequence[str], author: str = "a language model"
) -> ReplyTable:
    """Read the table in the reply of a language model.

    The file is the reply as it was copied: a CSV table with commas, semicolons or tabs, or a table of Markdown, with or
    without a code fence, with sentences before, between and behind. Several tables are joined, so that a reply may come
    in parts, or several replies one after the other; of a cell that occurs twice, the last one counts. Names may differ
    from those asked for in case, blanks, underscores, hyphens and emphasis. Rows and columns may be exchanged. Cells
    are read as :meth:`ClassSemantics.from_csv` does.

    Args:
        path: the file.
        classes: names that were asked for.
        attributes: names that were asked for.
        author: the name of the model, for the mark of drafted tables.

    Raises:
        ArgumentError: a list of names is empty, or has a name twice or in two spellings.
        DataError: there is no table, a row has another number of cells than its header, a cell cannot be read or is
            below 0 or above 1, or nothing is known of a class or an attribute of which there is a row or a column; the
            message names the line.
    """
    path = local_path(path)
    reply = _Reply(path, _by_spelling(_asked(classes, "classes")), _by_spelling(_asked(attributes, "attributes")))
    reply.read(read_text(path, DataError, "the reply of a language model"))
    found = {side: {cell[side] for cell in reply.cells} for side in (0, 1)}
    rows = [name for name in reply.classes.values() if name in found[0]]
    columns = [name for name in reply.attributes.values() if name in found[1]]
    if not rows:
        raise DataError(
            f"{path}: expected a table whose header has names of attributes and whose rows begin with names of "
            f"classes, such as {name_some(attributes, 2)} and {name_some(classes, 2)}, got none; ask for a CSV table "
            f"with these names"
        )
    cells = [[reply.cells.get((name, column), ("?", 0))[0] for column in columns] for name in rows]
    lines = [min(line for cell, (_, line) in reply.cells.items() if cell[0] == name) for name in rows]
    sheet = Sheet(path, tuple(rows), tuple(columns), cells, lines, transposed=False)
    file = table_of(sheet, decimal_comma=reply.decimal_comma)
    for row, column in ((file.values < 0) | (file.values > 1)).nonzero().tolist():
        raise DataError(
            f"{sheet.place(row, column)}: expected a number from 0 to 1, got {cells[row][column]!r}; correct it, or "
            f"ask again"
        )
    drafted = f"{author} in {path.name}"
    notes = (note_on_draft("the table", drafted), *file.notes, *reply.notes)
    with naming(path):
        table = ClassSemantics(file.classes, file.attributes, file.values, notes=notes, drafted=drafted)
    return ReplyTable(
        table,
        tuple(name for name in reply.classes.values() if name not in found[0]),
        tuple(name for name in reply.attributes.values() if name not in found[1]),
        tuple(reply.extra_classes),
        tuple(reply.extra_attributes),
    )


def _asked(names: Iterable[str], argument: str) -> list[str]:
    plain = list(map(plain_name, names))
    if not plain:
        raise ArgumentError(f"{argument}: expected at least one name, got none; give some")
    if repeated := [name for name in dict.fromkeys(plain) if plain.count(name) > 1]:
        raise ArgumentError(f"{argument}: expected unique names, got {name_some(repeated)} more than once; remove one")
    spelled = _by_spelling(plain)
    if alike := [name for name in plain if spelled[spelling(name)] != name]:
        raise ArgumentError(
            f"{argument}: expected names that differ in more than case, blanks, underscores or hyphens, got "
            f"{name_some(alike)} and {name_some([spelled[spelling(name)] for name in alike])}; rename one"
        )
    return plain


def _by_spelling(names: Sequence[str]) -> dict[str, str]:
    return {spelling(name): name for name in names}


@dataclass
class _Reply:
    """The cells of a reply by class and attribute, collected line by line."""

    path: Path
    classes: dict[str, str]
    attributes: dict[str, str]
    cells: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)
    extra_classes: dict[str, None] = field(default_factory=dict)
    extra_attributes: dict[str, None] = field(default_factory=dict)
    decimal_comma: bool = True
    replaced: int = 0

    @property
    def notes(self) -> tuple[str, ...]:
        count = self.replaced
        what = f"{count} cell{'s occur' if count > 1 else ' occurs'} more than once with another value"
        return (f"{self.path.name}: {what}; the last one counts",) * bool(count)

    def read(self, text: str) -> None:
        header: list[str] = []
        delimiter, turned = ",", False
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip() or line.strip().startswith("```"):
                continue
            if begun := self._header(line):
                delimiter, header, turned = begun
                self.decimal_comma &= delimiter != ","
            elif header:
                self._row(number, _split(line, delimiter), header, turned)

    def _header(self, line: str) -> tuple[str, list[str], bool] | None:
        """Return the delimiter of a header, its names, and whether they are classes; None for another line."""
        for delimiter in _DELIMITERS:
            names = [spelling(name) for name in _split(line, delimiter)[1:]]
            for known, turned in ((self.attributes, False), (self.classes, True)):
                hits = sum(name in known for name in names)
                if hits and 2 * hits >= len(names):
                    return delimiter, _split(line, delimiter), turned
        return None

    def _row(self, number: int, cells: list[str], header: Sequence[str], turned: bool) -> None:
        known, others = (self.attributes, self.classes) if turned else (self.classes, self.attributes)
        name = known.get(spelling(cells[0]))
        if len(cells) != len(header):
            if name is None:
                return  # a sentence
            raise DataError(
                f"{self.path}, line {number}: expected {len(header)} cells, as in the header, got {len(cells)} for "
                f"{name!r}; correct the line, or ask again"
            )
        if all(set(cell) <= set("-: ") for cell in cells):
            return  # the line below the header of a table of Markdown
        extra = (self.extra_classes, self.extra_attributes)
        if name is None:
            if any(number_of(cell.lower()) is not None for cell in cells[1:]):  # otherwise it is a sentence
                extra[turned].setdefault(cells[0])
            return
        for written, cell in zip(header[1:], cells[1:], strict=True):
            if (other := others.get(spelling(written))) is None:
                extra[not turned].setdefault(written)
                continue
            place = (other, name) if turned else (name, other)
            self.replaced += place in self.cells and self.cells[place][0] != cell
            self.cells[place] = (cell, number)


def _split(line: str, delimiter: str) -> list[str]:
    if delimiter == "|":
        line = line.strip().removeprefix("|").removesuffix("|")
    try:
        cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [""])
    except csv.Error:  # a sentence that is too long for a cell
        cells = [line]
    return [plain_name(re.sub(r"\\([|_*])", r"\1", cell)).strip(_DECORATION) for cell in cells] or [""]
