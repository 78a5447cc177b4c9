"""GloVe's and word2vec's text files, line by line: a word and its numbers."""

import re
from collections.abc import Iterable, Iterator
from io import BufferedIOBase
from itertools import chain

from rezsl.errors import DataError
from rezsl.semantics.found_words import FoundWords

_LONGEST_LINE = 1 << 20
_NUMBER = re.compile(rb"[-+.]*\d[\d.eE+-]*")


def read_text(stream: BufferedIOBase, found: FoundWords, dimension: int | None) -> int:
    """Find words in lines ``word number number …``, after a header ``count dimension`` if there is one.

    Lines are split at single spaces and from the right: words of glove.840B have spaces, and characters that Unicode
    counts as blanks. Without a header the first line says how many numbers there are, and its word has no space.
    The number of fields is checked in every line, the numbers themselves in the lines that are needed.

    Args:
        stream: the file.
        found: takes up the words.
        dimension: L if it is known, numbers per word.

    Returns:
        L.

    Raises:
        DataError: a line has too few or too many numbers, one is no number, the file ends before the header's count.
    """
    wanted = {word.encode(): word for word in found.wanted}
    lines = _lines(stream, found.source)
    number, first = next(lines, (0, b""))
    header = _header(first, dimension)
    count, length = header if header else (None, dimension or first.count(b" "))
    if length < 1:
        raise DataError(
            f"{found.source}, line 1: expected a word and its numbers, with a space between, got {first[:60]!r}"
        )
    rows = lines if header else chain([(number, first)], lines)
    seen = 0
    for number, name, line in _named(rows, length, found.source):
        if name in wanted:
            found.add(wanted[name], line.rsplit(b" ", length)[1:], seen, f"line {number}")
        seen += 1
    if count is not None and seen != count:
        raise DataError(f"{found.source}: expected {count} words, as its header says, got {seen}; copy the file again")
    return length


def _lines(stream: BufferedIOBase, source: str) -> Iterator[tuple[int, bytes]]:
    """Numbered lines that are not empty, without the line's end."""
    number = 0
    while line := stream.readline(_LONGEST_LINE):
        number += 1
        if len(line) == _LONGEST_LINE:
            raise DataError(
                f"{source}, line {number}: over {_LONGEST_LINE} bytes long; a binary file needs the ending .bin"
            )
        if line := line.rstrip(b" \r\n"):
            yield number, line


def _header(line: bytes, dimension: int | None) -> tuple[int, int] | None:
    fields = line.split(b" ")
    if len(fields) != 2 or not all(field.isdigit() for field in fields) or dimension == 1:
        return None
    return int(fields[0]), int(fields[1])


def _named(rows: Iterable[tuple[int, bytes]], length: int, source: str) -> Iterator[tuple[int, bytes, bytes]]:
    """Number, word and text of each line, once it has ``length`` fields after the word."""
    for number, line in rows:
        spaces = line.count(b" ")
        if spaces < length:
            raise DataError(
                f"{source}, line {number}: expected a word and {length} numbers, got {spaces} numbers; "
                "the file may be cut short"
            )
        # Nearly every word has no space and is not needed: one cut tells.
        name = line[: line.index(b" ")] if spaces == length else line.rsplit(b" ", length)[0]
        if spaces > length and _NUMBER.fullmatch(name[name.rindex(b" ") + 1 :]):
            raise DataError(f"{source}, line {number}: expected a word and {length} numbers, got more numbers")
        yield number, name, line
