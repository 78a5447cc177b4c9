"""What all commands do on the terminal: show lines, check where they will write, and advise after Ctrl-C."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from rezsl.errors import ArgumentError


def show(console: Console, *lines: str) -> None:
    """Print lines as they are: without colours, without markup in brackets, and without line breaks of rich's own."""
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def check_output_file(out: Path, example: str) -> None:
    """Check, before the work is done, that ``--out`` can be a file; ``example`` is a name that would fit."""
    if out.is_dir():
        raise ArgumentError(f"--out: expected a file, got the directory {out}; name a file in it, as {out / example}")
    if not out.absolute().parent.is_dir():
        raise ArgumentError(f"--out: expected a file in a directory that exists, got {out}; make {out.parent} first")


@contextmanager
def advice_when_interrupted(advice: str) -> Iterator[None]:
    """Add to a Ctrl-C inside the block how the work can be continued; :func:`rezsl.cli.main` prints it."""
    try:
        yield
    except KeyboardInterrupt as interruption:
        raise KeyboardInterrupt(advice) from interruption
