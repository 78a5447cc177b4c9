"""Reading the needed words from text and binary files of word vectors, which are streamed because they are large."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from io import BufferedIOBase
from itertools import chain
from typing import Any

import numpy as np

from rezsl.errors import DataError

_LONGEST_LINE = 1 << 20
_NUMBER = re.compile(rb"[-+.]*\d[\d.eE+-]*")
_CHUNK = 1 << 18
_LONGEST_WORD = 1 << 14


@dataclass
class FoundWords:
    """The needed words that one file contains; readers skip every other word, and return L, the numbers per word.

    Attributes:
        source: the file, for messages.
        needed: the words that may be needed.
        vectors: vector of each word found, float32 ``[L]``.
        positions: number of words before it. Files are sorted by falling frequency, so this measures its rarity.
    """

    source: str
    needed: frozenset[str]
    vectors: dict[str, np.ndarray] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)

    def add(self, name: str | bytes, numbers: Iterable[Any], position: int, place: str) -> None:
        """Store the vector of a word, given as numbers or their text; the first vector of a word counts.

        ``place`` names the word's place in the file for messages, such as "line 7".
        """
        word = name.decode() if isinstance(name, bytes) else name
        if word in self.vectors:
            return
        try:
            exact = np.array([float(number) for number in numbers])
        except ValueError as error:
            raise DataError(f"{self.source}, {place}, word {word!r}: expected numbers ({error})") from None
        with np.errstate(over="ignore"):
            vector = exact.astype(np.float32)
        if not np.isfinite(vector).all():
            bad = exact[~np.isfinite(vector)][0]
            raise DataError(f"{self.source}, {place}, word {word!r}: expected finite numbers, got {bad}")
        self.vectors[word] = vector
        self.positions[word] = position


def read_text(stream: BufferedIOBase, found: FoundWords, dimension: int | None) -> int:
    """Find words in GloVe's or word2vec's text: lines ``word number number …``, with or without a header line.

    The header of word2vec is ``count dimension``. Lines are split at single spaces and from the right, because words of
    glove.840B contain spaces and characters that Unicode counts as blanks. Without a header the first line determines
    how many numbers there are, so its word must not contain a space. The number of fields is checked in every line, the
    numbers themselves only in the needed lines.
    """
    needed = {word.encode() for word in found.needed}
    lines = _lines(stream, found.source)
    number, first = next(lines, (0, b""))
    header = None if dimension == 1 else _header(first)
    count, length = header or (None, dimension or first.count(b" "))
    if length < 1:
        raise DataError(
            f"{found.source}, line 1: expected a word and its numbers, with a space between, got {first[:60]!r}"
        )
    rows = lines if header else chain([(number, first)], lines)
    read = 0
    for number, name, line in _named(rows, length, found.source):
        if name in needed:
            found.add(name, line.rsplit(b" ", length)[1:], read, f"line {number}")
        read += 1
    if count is not None and read != count:
        raise DataError(f"{found.source}: expected {count} words, as its header says, got {read}; copy the file again")
    return length


def _lines(stream: BufferedIOBase, source: str) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not empty with their numbers and without their ends."""
    number = 0
    while line := stream.readline(_LONGEST_LINE):
        number += 1
        if len(line) == _LONGEST_LINE:
            raise DataError(
                f"{source}, line {number}: over {_LONGEST_LINE} bytes long; a binary file needs the ending .bin"
            )
        if line := line.rstrip(b" \r\n"):
            yield number, line


def _header(line: bytes) -> tuple[int, int] | None:
    fields = line.split(b" ")
    return (int(fields[0]), int(fields[1])) if len(fields) == 2 and all(map(bytes.isdigit, fields)) else None


def _named(rows: Iterable[tuple[int, bytes]], length: int, source: str) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield number, word and text of each line after checking that ``length`` fields follow the word."""
    for number, line in rows:
        spaces = line.count(b" ")
        if spaces < length:
            raise DataError(
                f"{source}, line {number}: expected a word and {length} numbers, got {spaces} numbers; "
                "the file may be cut short"
            )
        # Nearly every word has no space and is not needed, so the cheap cut at the first space is enough for it.
        name = line[: line.index(b" ")] if spaces == length else line.rsplit(b" ", length)[0]
        if spaces > length and _NUMBER.fullmatch(name[name.rindex(b" ") + 1 :]):
            raise DataError(f"{source}, line {number}: expected a word and {length} numbers, got more numbers")
        yield number, name, line


def read_binary(stream: BufferedIOBase, found: FoundWords) -> int:
    """Find words in word2vec's binary file: a line ``count dimension``, then word, space and little-endian float32."""
    first = b" ".join(stream.readline(100).split())
    count, length = _header(first) or (0, 0)
    if length < 1:
        raise DataError(f"{found.source}: expected word2vec's header 'count dimension', got {first[:40]!r}")
    needed = {word.encode() for word in found.needed}
    for position, (name, buffer, start) in enumerate(_records(stream, count, 4 * length, found.source)):
        if name in needed:
            numbers = np.frombuffer(buffer, "<f4", length, start)
            found.add(name, numbers.tolist(), position, f"word {position + 1}")
    return length


def _records(stream: BufferedIOBase, count: int, size: int, source: str) -> Iterator[tuple[bytes, bytes, int]]:
    """Yield each word, the part of the file in memory, and the position in it of the ``size`` bytes of its numbers."""
    buffer, start = b"", 0
    for position in range(count):
        while (space := buffer.find(b" ", start)) < 0 or len(buffer) < space + 1 + size:
            more = stream.read(_CHUNK)
            if not more or (space < 0 and len(buffer) - start > _LONGEST_WORD):
                raise DataError(
                    f"{source}: expected {count} words of {size // 4} numbers, as its header says, got {position}; "
                    "copy the file again, it is cut short or damaged"
                )
            buffer, start = buffer[start:] + more, 0
        yield buffer[start:space].lstrip(b"\n"), buffer, space + 1
        start = space + 1 + size
    if (buffer[start:] + stream.read(2)).strip():
        raise DataError(f"{source}: goes on after the {count} words of {size // 4} numbers that its header says")
