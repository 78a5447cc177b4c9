"""word2vec's binary files: a header, then words and float32 numbers without line ends to go by."""

from collections.abc import Iterator
from io import BufferedIOBase

import numpy as np

from rezsl.errors import DataError
from rezsl.semantics.found_words import FoundWords

_CHUNK = 1 << 18
_LONGEST_WORD = 1 << 14


def read_binary(stream: BufferedIOBase, found: FoundWords) -> int:
    """Find words in a file of word2vec: a line ``count dimension``, then word, space, little-endian float32 numbers.

    Args:
        stream: the file.
        found: takes up the words.

    Returns:
        L, numbers per word.

    Raises:
        DataError: no such header, the file ends before the header's count of words or goes on after it.
    """
    header = stream.readline(100).split()
    if len(header) != 2 or not all(field.isdigit() for field in header) or int(header[1]) < 1:
        raise DataError(f"{found.source}: expected word2vec's header 'count dimension', got {b' '.join(header)[:40]!r}")
    count, length = map(int, header)
    wanted = {word.encode(): word for word in found.wanted}
    for position, (name, buffer, start) in enumerate(_records(stream, count, 4 * length, found.source)):
        if name in wanted:
            numbers = np.frombuffer(buffer, "<f4", length, start)
            found.add(wanted[name], numbers.tolist(), position, f"word {position + 1}")
    return length


def _records(stream: BufferedIOBase, count: int, size: int, source: str) -> Iterator[tuple[bytes, bytes, int]]:
    """Each word, the chunk of the file that is in memory, and where in it the ``size`` bytes of its numbers start."""
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
