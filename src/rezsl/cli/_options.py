"""The parsing, output and messages that all commands share."""

from argparse import ArgumentError as OptionError
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from rezsl.cli._messages import BASES, expected_name, explained
from rezsl.cli._parser import as_typed
from rezsl.errors import ArgumentError, RezslError


def parse(options: ArgumentParser, arguments: Sequence[str]) -> Namespace:
    """Parse a command line; an error is one line that names what was typed."""
    try:
        settings: Namespace = options.parse_args(list(arguments))
    except OptionError as error:
        raise RezslError(as_typed(explained(" ".join(str(error).split()), options))) from error
    for name in ("data", "backbone"):
        path = getattr(settings.get(name), "class_path", "")
        if path.rpartition(".")[2] in BASES:
            typed = (word.partition("=")[0].partition(f"--{name}.") for word in arguments)
            option = next((option for before, found, option in typed if found and not before), "")
            raise RezslError(as_typed(expected_name(f"--{name}", option)))
    return settings


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


def check_output_file(output: Path, example: str) -> None:
    """Check, before the work is done, that ``--output`` can be a file; ``example`` is a name that would fit."""
    if output.is_dir():
        raise ArgumentError(
            f"output: expected a file, got the directory {output}; name a file in it, as {output / example}"
        )
    if not output.absolute().parent.is_dir():
        raise ArgumentError(
            f"output: expected a file in a directory that exists, got {output}; make {output.parent} first"
        )


show = partial(print, sep="\n", flush=True)
"""Print lines at once, so that a log of a long run is complete at any time."""


@contextmanager
def advice_when_interrupted(advice: str) -> Iterator[None]:
    """Add to a Ctrl-C inside the block how the work can be continued; :func:`rezsl.cli.main` prints it."""
    try:
        yield
    except KeyboardInterrupt as interruption:
        raise KeyboardInterrupt(advice) from interruption
