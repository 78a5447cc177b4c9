"""Files that are whole or not there."""

import csv
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write a file so that whoever reads it, even after a crash or a full disk, finds the old content or the new."""
    with _written_beside(path, content) as partial:
        partial.replace(path)


def create_atomically(path: Path, content: bytes | str) -> bool:
    """Write a file, whole, unless there is one: of several processes that try, one does. Whether this one did."""
    with _written_beside(path, content) as partial:
        try:
            os.link(partial, path)
        except FileExistsError:
            return False
    return True


@contextmanager
def _written_beside(path: Path, content: bytes | str) -> Iterator[Path]:
    """The content in a file of its own, safe on the disk, in the same directory; it is gone afterwards."""
    data = content.encode() if isinstance(content, str) else content
    # Its own name for each process: two that write one file must not move each other's.
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        try:
            with partial.open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            # A full disk does not say what it was too full for.
            raise OSError(error.errno, error.strerror, str(path)) from error
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def numbered_rows(stream: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Rows of comma-separated text that are not blank, each with the line of the file that it begins on."""
    reader = csv.reader(stream)
    line = 1
    for row in reader:
        if any(map(str.strip, row)):
            yield line, row
        # A cell in quotes may hold line breaks, so a row is no line.
        line = reader.line_num + 1
