"""Lists and tables of the archives: plain text with one entry per line, and errors that name file and line."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.errors import DataError
from rezsl.files import reading


@contextmanager
def naming(place: Path | str) -> Iterator[None]:
    """Put the name of a file or folder before the message of every :class:`DataError` raised inside the block."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{place}: {error}") from error


def read_lines(path: Path) -> list[str]:
    """Return the lines of a file without surrounding blanks; empty lines at the end do not count."""
    with reading(path, "UTF-8 text", DataError, "unpack the archive again"):
        lines = path.read_text(encoding="utf-8-sig").rstrip().splitlines()
    if not lines:
        raise DataError(f"{path}: expected one entry per line, got an empty file; unpack the archive again")
    return [line.strip() for line in lines]


def read_numbered(path: Path, count: int | None = None) -> list[str]:
    """Return the entries of a list whose lines read ``<number> <entry>``, numbered from 1 (to ``count``, if given)."""
    entries = []
    for number, line in enumerate(read_lines(path), start=1):
        first, _, entry = line.replace("\t", " ").partition(" ")
        if first != str(number) or not entry.strip():
            raise DataError(f"{path}, line {number}: expected '{number} <entry>', got {line[:60]!r}")
        entries.append(entry.strip())
    if count is not None and len(entries) != count:
        raise DataError(f"{path}: expected {count:,} lines, got {len(entries):,}; unpack the archive again")
    return entries


def read_matrix(path: Path, rows: int, columns: int) -> Float[Tensor, "rows columns"]:
    """Return a table of numbers separated by blanks, as float64."""
    lines = read_lines(path)
    values = [numbers(line.split(), columns, f"{path}, line {number}") for number, line in enumerate(lines, start=1)]
    if len(values) != rows:
        raise DataError(f"{path}: expected {rows:,} lines, got {len(values):,}; unpack the archive again")
    return torch.tensor(values, dtype=torch.float64)


def numbers(cells: Sequence[str], count: int, place: str) -> list[float]:
    """Return cells as numbers."""
    if len(cells) != count:
        raise DataError(f"{place}: expected {count} numbers, got {len(cells)}; unpack the archive again")
    try:
        return [float(cell) for cell in cells]
    except ValueError as error:
        raise DataError(f"{place}: expected numbers ({error}); unpack the archive again") from error
