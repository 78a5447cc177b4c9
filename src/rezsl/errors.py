"""The exceptions that rezsl raises.

Each of them is also the built-in exception that callers expect, so ``except ValueError`` catches it. A message is one
line with four parts: the argument or file, the expected value, the actual value, and the remedy.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, get_args


class RezslError(Exception):
    """The base class of all errors of rezsl, whose causes users can correct."""


class ArgumentError(RezslError, ValueError):
    """An argument has a value outside what its docstring allows."""


class DataError(RezslError, ValueError):
    """A data set, a table or an image cannot be used as it is."""


class ModelFileError(RezslError, ValueError):
    """A saved model is missing, damaged, or was written by another version."""


class RunDirectoryError(RezslError, ValueError):
    """A run directory cannot be written or continued without losing something."""


class DivergenceError(RezslError, ArithmeticError):
    """The loss of a training is not finite any more."""


class ElsewhereError(RezslError, RuntimeError):
    """Another process of the same training has ended."""


class MissingPackageError(RezslError, ImportError):
    """An optional package is needed and not installed."""


@contextmanager
def needs(extra: str, purpose: str) -> Iterator[None]:
    """Import an optional package inside the block; a :class:`MissingPackageError` names the command that installs it.

    ``extra`` is the extra of rezsl that brings the package along, such as ``images``, and ``purpose`` is what needs the
    package, such as "reading photos".
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or str(error)).partition(".")[0]
        raise MissingPackageError(
            f"{purpose}: expected the package {package!r}, which is not installed; pip install 'rezsl[{extra}]'"
        ) from error


@contextmanager
def renamed(**names: str) -> Iterator[None]:
    """Give the arguments in messages of errors raised inside the block the names that the caller's own arguments have.

    ``renamed(source="text_encoder")`` turns "source: expected …" into "text_encoder: expected …".
    """
    try:
        yield
    except RezslError as error:
        argument, colon, rest = str(error).partition(": ")
        if argument not in names:
            raise
        raise type(error)(f"{names[argument]}{colon}{rest}") from error


def name_some(names: Sequence[str], most: int = 5) -> str:
    """Return the first names in quotes and the number of the others, so that a message is one readable line."""
    shown = ", ".join(repr(name) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    r"""Return a text in which control characters are escapes, such as ``\x1b``; line breaks and tabs stay.

    Terminals obey control characters, and marks that turn the direction of writing make a text look like another one.
    Bytes of file names that are no UTF-8 are escapes too: Python keeps them as code points that no encoding has.

    >>> printable("\x1b[2Jcat")
    '\\x1b[2Jcat'
    """
    return _CONTROL.sub(lambda sign: _escaped(sign[0]), text)


def _escaped(sign: str) -> str:
    byte = ord(sign) - 0xDC00
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else sign.encode("unicode_escape").decode()


def one_line_of(text: str) -> str:
    r"""Return a printable text in which line breaks and other blanks are single spaces.

    >>> one_line_of("two\nlines")
    'two lines'
    """
    return printable(" ".join(text.split()))


def shortened(name: str, most: int) -> str:
    """Cut a long name in its middle: names of one table often begin alike, and file names end in their number."""
    return name if len(name) <= most else f"{name[: most - most // 2 - 1]}…{name[-(most // 2) :]}"


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return the known word that was probably meant, in brackets; an empty text where none is close."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _refuse(expected: str, numbers: dict[str, int | float], valid: Callable[[int | float], bool]) -> None:
    for name, number in numbers.items():
        if not valid(number):
            raise ArgumentError(f"{name}: expected {expected}, got {number}")


def check_positive(**numbers: int | float) -> None:
    """Raise an ArgumentError that names the first argument that is not above 0 and finite."""
    _refuse("a positive number", numbers, lambda number: 0 < number < float("inf"))


def check_not_negative(**numbers: int | float) -> None:
    """Raise an ArgumentError that names the first argument that is below 0 or not finite."""
    _refuse("a finite number of at least 0", numbers, lambda number: 0 <= number < float("inf"))


def check_choice(allowed: Any, **options: str) -> None:
    """Raise an ArgumentError that names the first argument that is no member of the ``Literal`` ``allowed``."""
    for name, option in options.items():
        if option not in get_args(allowed):
            raise ArgumentError(f"{name}: expected one of {', '.join(get_args(allowed))}, got {option!r}")


def check_at_least(least: int, **numbers: int | float) -> None:
    """Raise an ArgumentError that names the first argument that is below ``least``."""
    _refuse(f"at least {least}", numbers, lambda number: number >= least)


def check_share(**numbers: int | float) -> None:
    """Raise an ArgumentError that names the first argument that is not in [0, 1)."""
    _refuse("a number in [0, 1)", numbers, lambda number: 0 <= number < 1)


def check_between_0_and_1(**numbers: int | float) -> None:
    """Raise an ArgumentError that names the first argument that is not above 0 and below 1."""
    _refuse("a number between 0 and 1", numbers, lambda number: 0 < number < 1)
