"""What a command prints can be printed everywhere: on terminals, in pipes and files of any encoding, and nowhere.

The encoding of standard output is chosen by the system: on Windows it has no γ where output goes to a file. A sign that
the encoding lacks is written in ASCII, because no sign may end a training whose work is done. Names in what is printed
come from files, and a terminal would obey their escapes.
"""

import codecs
import io
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from rezsl.errors import printable
from rezsl.writing import naming_full_disk

IN_ASCII = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "λ": "lambda", "μ": "mu", "σ": "sigma", "Σ": "sum of ",
    "−": "-", "–": "-", "→": "->", "×": "x", "·": "*", "±": "+-", "≤": "<=", "≥": ">=", "≠": "!=", "°": " degrees",
    "…": "...", "“": '"', "”": '"', "‘": "'", "’": "'", "√": "sqrt", "‖": "||", "∞": "infinity", "○": "o", "✓": "x",
}  # fmt: skip
"""How signs of the package's own texts are written in ASCII."""

NAMES = {
    "stdout": "standard output, where the shell sends what is printed",
    "stderr": "standard error, where the shell sends messages",
}
"""What the errors of the two streams name."""

_RAISED = re.compile("[⁰¹²³⁴-⁹⁻]+")


def in_ascii(text: str) -> str:
    r"""Return a text in ASCII: signs in words, and other letters as escapes, bytes of file names included.

    >>> in_ascii("γ ≤ 10⁻³ of 猫, caf\udce9")
    'gamma <= 10^-3 of \\u732b, caf\\xe9'
    """
    text = _RAISED.sub(lambda raised: f"^{unicodedata.normalize('NFKC', raised[0])}", printable(text))
    plain = "".join(IN_ASCII.get(sign, sign) for sign in text)
    return plain.encode("ascii", "backslashreplace").decode()


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return in_ascii(error.object[error.start : error.end]), error.end


codecs.register_error("rezsl_ascii", _replaced)


class _Shown:
    """A stream whose texts are printable; rich, which writes control characters of its own, goes past it."""

    def __init__(self, stream: Any) -> None:
        self.rich_proxied_file = stream  # rich looks for this attribute

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rich_proxied_file, name)

    def write(self, text: str) -> int:
        self.rich_proxied_file.write(printable(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)


class _Named(io.FileIO):
    """A file of the shell whose errors, such as that of a full disk, say which stream it is."""

    name: str

    def write(self, content: Any) -> int:
        with naming_full_disk(Path(self.name)):
            return super().write(content)


def _named(stream: io.TextIOWrapper, name: str) -> io.TextIOWrapper:
    """Return a stream to the same file whose errors have a name; what is buffered is written first."""
    stream.flush()
    raw = _Named(stream.fileno(), "w", closefd=False)
    raw.name = name
    return io.TextIOWrapper(
        io.BufferedWriter(raw), stream.encoding, stream.errors, line_buffering=stream.line_buffering
    )


@contextmanager
def printable_output() -> Iterator[None]:
    """Inside the block, everything can be printed, and terminals do not obey it.

    Files and pipes receive control characters unchanged, and their errors name the stream.
    """
    _open_closed_streams()
    with ExitStack() as stack:
        for name, redirect in (("stdout", redirect_stdout), ("stderr", redirect_stderr)):
            stream = getattr(sys, name)
            if stream is None:  # as under Windows without a console
                stream = stack.enter_context(open(os.devnull, "w", encoding="utf-8", errors="rezsl_ascii"))
                stack.enter_context(redirect(stream))
            elif stream is getattr(sys, f"__{name}__") and not stream.isatty():
                stream = _named(stream, NAMES[name])
                stack.enter_context(redirect(stream))
                stream.reconfigure(errors="rezsl_ascii")
            elif hasattr(stream, "reconfigure"):
                stack.callback(stream.reconfigure, errors=stream.errors)
                stream.reconfigure(errors="rezsl_ascii")
            if stream.isatty():
                stack.enter_context(redirect(_Shown(stream)))
        yield


def _open_closed_streams() -> None:
    """Open the null device for each standard stream that the shell has closed, as by ``>&-``.

    The next file that is opened would otherwise take its number, and receive what libraries print.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            # Otherwise, the processes that this one starts would find it closed again.
            os.set_inheritable(number, True)


def end_output() -> None:
    """Write out what is still buffered, so that an error of it can be handled."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


def discard_output() -> None:
    """Send nowhere what is still buffered and cannot be written: its reader has ended, or the disk is full."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)
