"""Where a command is asked to write: seen before the work is done, not after it."""

from pathlib import Path

from rezsl.errors import ArgumentError


def check_output_file(out: Path, example: str) -> None:
    """See that a file can stand there.

    Args:
        out: as ``--out`` names it.
        example: a file name that would fit, for the message.

    Raises:
        ArgumentError: it is a directory, or lies in none.
    """
    if out.is_dir():
        raise ArgumentError(f"--out: expected a file, got the directory {out}; name a file in it, as {out / example}")
    if not out.absolute().parent.is_dir():
        raise ArgumentError(f"--out: expected a file in a directory that exists, got {out}; make {out.parent} first")
