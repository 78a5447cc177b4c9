"""What a command prints is printable on a terminal: names in it come from files, and a terminal obeys their escapes."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import Any

from rezsl.errors import printable


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


@contextmanager
def printable_output() -> Iterator[None]:
    """Inside the block, what is printed to a terminal is printable; files and pipes receive texts unchanged."""
    with ExitStack() as stack:
        for stream, redirect in ((sys.stdout, redirect_stdout), (sys.stderr, redirect_stderr)):
            if stream is not None and stream.isatty():
                stack.enter_context(redirect(_Shown(stream)))
        yield
