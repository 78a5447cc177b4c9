"""Reading the needed words from files of word vectors; text and binary files are streamed because they are large."""

import csv
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BufferedIOBase
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.encodings import text_stream, utf8_stream
from rezsl.errors import DataError
from rezsl.files import read_npz
from rezsl.semantics._near_names import plain_name

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

    @property
    def encoded(self) -> set[bytes]:
        """The needed words as bytes, in both forms of Unicode, because converting millions of other words is slow."""
        return {unicodedata.normalize(form, word).encode() for word in self.needed for form in ("NFC", "NFD")}

    def add(self, name: str | bytes, numbers: Iterable[Any], position: int, place: str) -> None:
        """Store the vector of a word, given as numbers or their text; the first vector of a word counts.

        ``place`` names the word's place in the file for messages, such as "line 7".
        """
        word = plain_name(name.decode() if isinstance(name, bytes) else name)
        if word in self.vectors:
            return
        try:
            exact = np.array([float(number) for number in numbers])
        except ValueError as error:
            raise DataError(
                f"{self.source}, {place}, word {word!r}: expected numbers, got another text ({error}); correct the line"
            ) from None
        with np.errstate(over="ignore"):
            vector = exact.astype(np.float32)
        if not np.isfinite(vector).all():
            bad = exact[~np.isfinite(vector)][0]
            raise DataError(
                f"{self.source}, {place}, word {word!r}: expected finite numbers, got {bad}; correct the line"
            )
        self.vectors[word] = vector
        self.positions[word] = position


def read_text(stream: BufferedIOBase, found: FoundWords, dimension: int | None) -> int:
    """Find words in GloVe's or word2vec's text: lines ``word number number …``, with or without a header line.

    The header of word2vec is ``count dimension``. Lines are split at single spaces and from the right, because words of
    glove.840B contain spaces and characters that Unicode counts as blanks. Without a header the first line determines
    how many numbers there are, so its word must not contain a space. The number of fields is checked in every line, the
    numbers themselves only in the needed lines.
    """
    needed = found.encoded
    lines = _lines(utf8_stream(stream), found.source)
    number, first = next(lines, (0, b""))
    header = None if dimension == 1 else _header(first)
    count, length = header or (None, dimension or first.count(b" "))
    if length < 1:
        raise DataError(
            f"{found.source}, line 1: expected a word and its numbers, with a space between, got {first[:60]!r}"
            "; give a file of word vectors"
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
            raise DataError(
                f"{source}, line {number}: expected a word and {length} numbers, got more numbers; correct the line"
            )
        yield number, name, line


def read_binary(stream: BufferedIOBase, found: FoundWords) -> int:
    """Find words in word2vec's binary file: a line ``count dimension``, then word, space and little-endian float32."""
    first = b" ".join(stream.readline(100).split())
    count, length = _header(first) or (0, 0)
    if length < 1:
        raise DataError(
            f"{found.source}: expected word2vec's header 'count dimension', got {first[:40]!r}"
            "; give a binary file of word2vec"
        )
    needed = found.encoded
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
        raise DataError(
            f"{source}: goes on after the {count} words of {size // 4} numbers that its header says"
            "; copy the file again"
        )


def read_arrays(path: Path) -> tuple[np.ndarray | None, np.ndarray]:
    """Read names (None where the file has none) and vectors from a ``.npy`` or ``.npz`` file; pickles are refused."""
    remedy = "write it with numpy.savez(path, names=numpy.array(names, dtype=str), vectors=vectors)"
    arrays = read_npz(path, DataError, "arrays of numbers and text without pickled objects", remedy)
    if len(arrays) == 1:
        return None, next(iter(arrays.values()))
    if set(arrays) != {"names", "vectors"}:
        got = ", ".join(sorted(arrays))
        raise DataError(f"{path}: expected the arrays 'names' and 'vectors', or one array, got {got}; {remedy}")
    return arrays["names"], arrays["vectors"]


def check_rows(array: np.ndarray, attributes: Sequence[str], path: Path) -> Float[Tensor, "S L"]:
    """Return the rows of an array as the vectors of the attributes, in their order, as float32."""
    if array.ndim != 2 or len(array) != len(attributes) or not array.shape[1] or array.dtype.kind not in "fiu":
        raise DataError(
            f"{path}: expected numbers of shape ({len(attributes)}, L), one row per attribute in the table's order, "
            f"got {array.dtype} of shape {array.shape}; save a row for each"
        )
    with np.errstate(over="ignore"):
        rows = array.astype(np.float32)
    bad = np.argwhere(~np.isfinite(rows))
    if len(bad):
        row, column = bad[0]
        raise DataError(
            f"{path}, row {row + 1}, attribute {attributes[row]!r}: expected finite numbers, got {array[row, column]}"
            "; correct the row"
        )
    return torch.from_numpy(np.ascontiguousarray(rows))


def find_rows(names: np.ndarray, vectors: np.ndarray, found: FoundWords) -> int:
    """Find words among named rows ``[N, L]``."""
    numeric = vectors.ndim == 2 and vectors.dtype.kind in "fiu"
    if not numeric or names.dtype.kind != "U" or names.shape != vectors.shape[:1]:
        raise DataError(
            f"{found.source}: expected text 'names' of shape (N,) and numbers 'vectors' of shape (N, L), got "
            f"{names.dtype} of shape {names.shape} and {vectors.dtype} of shape {vectors.shape}; save them so"
        )
    for position, name in enumerate(map(plain_name, names.tolist())):
        if name in found.needed:
            found.add(name, vectors[position].tolist(), position, f"row {position + 1}")
    return int(vectors.shape[1])


def read_csv(stream: BufferedIOBase, found: FoundWords) -> int:
    """Find words in comma-separated lines ``word,number,number,…``, with or without a header."""
    length = 0
    try:
        with text_stream(stream) as text:
            rows = csv.reader(text)
            for position, (word, *numbers) in enumerate(filter(None, rows)):
                length = length or len(numbers)
                place = f"line {rows.line_num}"
                if len(numbers) != length or not length:
                    expected = f"expected a word and {length or 'its'} numbers, got {len(numbers)} numbers"
                    raise DataError(f"{found.source}, {place}: {expected}; correct the line")
                name = plain_name(word)
                # A first row without any number is a header.
                if name in found.needed and (position > 0 or any(map(_is_number, numbers))):
                    found.add(name, numbers, position, place)
    except (ValueError, csv.Error) as error:  # a DataError passes
        if isinstance(error, DataError):
            raise
        raise DataError(f"{found.source}: expected comma-separated text, got {error}; save it as UTF-8") from error
    if not length:
        raise DataError(
            f"{found.source}: expected lines of a word and its numbers, got an empty file; copy the file again"
        )
    return length


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
