"""Files that are whole or not there, and objects that are written down by their constructor's arguments."""

import csv
import inspect
import os
import pkgutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any


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


class Recorded:
    """An object that keeps the arguments of its constructor, so that a record of them makes an equal object.

    Saving writes the arguments, loading calls the constructor with them, and the command line reads its signature: the
    constructor is the only description of its options.

    Attributes:
        arguments: every parameter of the constructor by name, with its default where none was given.
    """

    arguments: dict[str, Any]

    def __new__(cls, *args: Any, **options: Any) -> "Recorded":
        """Record the arguments; a copy that ``copy.deepcopy`` begins without any takes those of its original."""
        made = super().__new__(cls)
        signature = inspect.signature(cls.__init__)
        bound = signature.bind_partial(made, *args, **options)
        bound.apply_defaults()
        arguments: dict[str, Any] = {}
        for name, value in list(bound.arguments.items())[1:]:
            if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
                arguments |= value
            else:
                arguments[name] = value
        # Past the checks of torch.nn.Module, whose own constructor has not run yet.
        object.__setattr__(made, "arguments", arguments)
        return made


def import_modules(package: str) -> list[ModuleType]:
    """Import every public module of a package, so that each file in it registers what it holds.

    Modules whose names begin with an underscore are left out: they are imported by those that need them.
    """
    places = import_module(package).__path__
    names = sorted(found.name for found in pkgutil.iter_modules(places) if not found.name.startswith("_"))
    return [import_module(f"{package}.{name}") for name in names]
