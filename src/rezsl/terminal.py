"""Text on its way to a terminal: names come from files, and must not move the cursor or set the window's title."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from rezsl.errors import printable


class Terminal(Console):
    r"""A console of rich that shows control characters inside texts as escapes, such as ``\x1b``.

    The colours and movements that rich writes itself are no texts, and stay.
    """

    @property
    def file(self) -> Any:
        """The stream itself, behind those that make texts printable or that rich puts before it for a progress bar."""
        stream = Console.file.fget(self)  # type: ignore[attr-defined] # a property has it
        while (behind := getattr(stream, "rich_proxied_file", None)) is not None:
            stream = behind
        return stream

    @file.setter
    def file(self, stream: Any) -> None:
        self._file = stream

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render an object; every text of it is printable."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)
