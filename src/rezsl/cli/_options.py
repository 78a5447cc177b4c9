"""The parsing, output and messages that all commands share."""

import codecs
import os
import re
import sys
from argparse import ArgumentError as OptionError
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from rezsl.cli._messages import BASES, expected_name, explained
from rezsl.cli._parser import as_typed
from rezsl.errors import ArgumentError, RezslError
from rezsl.files import as_text, json_text, local_path


def parse(options: ArgumentParser, arguments: Sequence[str]) -> Namespace:
    """Parse a command line; an error is one line that names what was typed."""
    try:
        settings: Namespace = options.parse_args([as_text(word) for word in arguments])
    except OptionError as error:
        raise RezslError(as_typed(explained(" ".join(str(error).split()), options))) from error
    for name in ("data", "backbone"):
        path = getattr(settings.get(name), "class_path", "")
        if path.rpartition(".")[2] in BASES:
            typed = (word.partition("=")[0].partition(f"--{name}.") for word in arguments)
            option = next((option for before, found, option in typed if found and not before), "")
            raise RezslError(as_typed(expected_name(f"--{name}", option)))
    _name_files(settings)
    return settings


def _name_files(settings: Namespace) -> None:
    """Give paths among options the names that files have, as :func:`rezsl.files.local_path` does.

    Texts that may be paths keep bytes of :func:`rezsl.files.as_text`, because the parser still writes them as YAML.
    """
    for name, value in vars(settings).items():
        entries = value if isinstance(value, list) else [value]
        for entry in entries:
            if isinstance(entry, Namespace):
                _name_files(entry)
        named = [_named(entry) for entry in entries]
        setattr(settings, name, named if isinstance(value, list) else named[0])


def _named(entry: Any) -> Any:
    if isinstance(entry, str) and re.match(r"~$|~[\w.-]*[/\\]", entry):
        return as_text(str(local_path(entry)))
    return local_path(entry) if isinstance(entry, Path) else entry


def instantiate(options: ArgumentParser, settings: Namespace) -> Namespace:
    """Build the objects that options describe; an error of rezsl's own is raised unchanged."""
    try:
        built: Namespace = options.instantiate(settings)
    except ValueError as error:
        # jsonargparse tries the members of a union one after the other, and puts the errors of all into one.
        cause = error.__cause__
        while cause is not None and not isinstance(cause, RezslError):
            cause = cause.__cause__
        if isinstance(error, RezslError) or cause is None:
            raise
        raise cause from error
    return built


def add_resume(options: ArgumentParser) -> None:
    """Add ``--resume``, which means true where no value follows."""
    options.add_argument("--resume", type=bool, nargs="?", const=True, default=False)


def check_output_file(output: Path, example: str, *inputs: Path | Namespace | None) -> None:
    """Check, before the work is done, that ``--output`` can be a file and replaces nothing that the command reads.

    Args:
        output: the file.
        example: a name that would fit.
        inputs: files that the command reads, and folders, such as runs and data sets; files of a folder that end as the
            example does are results, and may be replaced. Settings stand for every file and folder that they name.
    """
    if output.is_dir():
        raise ArgumentError(
            f"output: expected a file, got the directory {output}; name a file in it, as {output / example}"
        )
    if not output.absolute().parent.is_dir():
        raise ArgumentError(
            f"output: expected a file in a directory that exists, got {output}; make {output.parent} first"
        )
    if not os.access(output.absolute().parent, os.W_OK):
        raise ArgumentError(
            f"output: expected a file in a directory that can be written, got {output}; allow it, or choose another "
            f"directory"
        )
    if output.exists() and any(_is_read(output, given, Path(example).suffix) for given in _files_of(inputs)):
        other = output.with_name(example if output.name != example else f"new-{example}")
        raise ArgumentError(
            f"output: expected another file than those that are read, got {output}, which would be lost; choose "
            f"another name, such as {other}"
        )


def check_ending(output: Path, *endings: str) -> None:
    """Check that ``--output`` has one of some endings, by which other programs know what a file is.

    A device, such as ``/dev/null``, may have any name.
    """
    if output.suffix.lower() not in endings and (output.is_file() or not output.exists()):
        raise ArgumentError(
            f"output: expected a name that ends in {' or '.join(endings)}, got {output}; name it "
            f"{output.with_suffix(endings[0]).name}"
        )


def _is_read(output: Path, given: Path, ending_of_results: str) -> bool:
    """Return whether a file is one that is read, or one of a folder that is read and no result."""
    if not given.is_dir():
        return given.exists() and given.samefile(output)
    if output.suffix == ending_of_results:
        return False
    return output.resolve().is_relative_to(given.resolve()) or any(
        path.exists() and path.samefile(output) for path in given.iterdir()
    )


def _files_of(value: Any) -> Iterator[Path]:
    """Yield the files and folders that settings name at any depth, but for their output."""
    if isinstance(value, Namespace | dict):
        for name, entry in vars(value).items() if isinstance(value, Namespace) else value.items():
            yield from _files_of(entry) if name != "output" else ()
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _files_of(entry)
    elif isinstance(value, Path) or (isinstance(value, str) and value and os.path.exists(local_path(value))):
        yield local_path(value)


show = partial(print, sep="\n", flush=True)
"""Print lines at once, so that a log of a long run is complete at any time."""


def show_notes(notes: Iterable[str]) -> None:
    """Print notes on what a command was given to the standard error, a line each."""
    for note in notes:
        print(f"note: {note}", file=sys.stderr, flush=True)


def print_json(content: Any) -> None:
    """Print a value as JSON; in encodings other than those of Unicode it is in ASCII, so that no letter is lost."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    is_unicode = codecs.lookup(encoding).name.startswith("utf")
    print(json_text(content, ascii_only=not is_unicode), end="")


@contextmanager
def advice_when_interrupted(advice: str) -> Iterator[None]:
    """Add to a Ctrl-C inside the block how the work can be continued; :func:`rezsl.cli.main` prints it."""
    try:
        yield
    except KeyboardInterrupt as interruption:
        raise KeyboardInterrupt(advice) from interruption
