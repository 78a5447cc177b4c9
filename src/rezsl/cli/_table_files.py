"""Lists of names and descriptions that the commands of ``rezsl semantics`` read, and the table that they write."""

import re
from collections.abc import Iterable
from pathlib import Path

from rezsl.cli._options import check_ending, check_output_file, show
from rezsl.cli._table_findings import show_findings
from rezsl.errors import ArgumentError, DataError, name_some
from rezsl.files import delimiter_of, read_csv, read_text
from rezsl.semantics import ClassSemantics, examine, plain_name

_DESCRIBED = "class,text 1,"
"""The header of what ``rezsl semantics describe`` writes."""

_TABLE = re.compile(r"(?i)\W*(class|attribute)\s*[,;\t|]")


def table_output(output: Path | None, of: Path, *inputs: Path | None) -> Path:
    """Return where a table is to be written: without ``--output``, a file named after the one that it comes from.

    Raises:
        ArgumentError: the table would replace a file that the command reads or that people reviewed.
    """
    output = output or Path(f"{of.stem}-table.csv")
    check_output_file(output, "table.csv", of, *inputs)
    if output.exists() and not read_text(output, DataError, "a table").lower().startswith(("# drafted", _DESCRIBED)):
        raise ArgumentError(
            f"output: expected a new file or a draft, got {output}, which has no mark of a draft and may be reviewed; "
            f"choose another name, or remove it"
        )
    check_ending(output, ".csv")
    return output


def read_names(path: Path, what: str) -> list[str]:
    """Read a text file with a name per line; blank lines and lines that begin with # and a blank are passed over."""
    lines = read_text(path, DataError, f"names of {what}, one per line").splitlines()
    if lines and _TABLE.match(lines[0]):
        raise DataError(f"{path}: expected names of {what}, one per line, got a table; write the names into a file")
    names = [plain_name(line) for line in lines if line.strip() and not line.startswith("# ")]
    if not names:
        raise DataError(f"{path}: expected names of {what}, one per line, got none; write them into the file")
    if repeated := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise DataError(f"{path}: expected unique names, got {name_some(repeated)} more than once; keep one of each")
    return names


def read_descriptions(path: Path) -> dict[str, str]:
    """Read a CSV file with the columns class and description, or a text file with lines ``class: description``."""
    if path.suffix.lower() in (".csv", ".tsv"):
        header, rows = read_csv(path, DataError, ("class", "description"), delimiter=delimiter_of(path, DataError))
        columns = header.index("class"), header.index("description")
        entries = [(line, plain_name(cells[columns[0]]), cells[columns[1]]) for line, cells in rows]
    else:
        lines = enumerate(read_text(path, DataError, "a description of each class").splitlines(), start=1)
        parts = [(line, text.partition(":")) for line, text in lines if text.strip()]
        if wrong := [line for line, (_, colon, _) in parts if not colon]:
            raise DataError(f"{path}, line {wrong[0]}: expected 'class: description', got no colon; add it")
        entries = [(line, plain_name(name), text) for line, (name, _, text) in parts]
    found: dict[str, str] = {}
    for line, name, text in entries:
        if name in found or not name or not text.strip():
            got = f"{name!r} again" if name in found else f"{name!r} without one" if name else "no name"
            raise DataError(f"{path}, line {line}: expected a class with its description, got {got}; correct the line")
        found[name] = text.strip()
    return found


def write_table(table: ClassSemantics, output: Path, unseen: Iterable[str] = ()) -> None:
    """Write a table, and print its notes and what the doctor finds; ``unseen`` are the classes without photos."""
    classes, attributes = table.values.shape
    apart = [*map(plain_name, unseen)]
    table.index(apart)
    seen = [name for name in table.classes if name not in apart]
    for note in table.notes:
        show(f"note: {note.replace('the table is', f'{output.name} is', 1)}")
    show_findings(examine(table, seen, apart))
    table.to_csv(output)
    show(f"wrote {output}: {classes} classes × {attributes} attributes")
    if table.drafted:
        show("next: review it, delete its first line, and use it as semantics.csv")
