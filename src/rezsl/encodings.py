"""Text of any common encoding becomes a string: by its byte-order mark, or else by what its bytes can be.

Spreadsheets and editors write UTF-8, UTF-16 and, under Windows, one byte per letter (Windows-1252, which has the same
letters as Latin-1). Words of Western languages have no four accented letters in a row. Chinese, Russian or Greek words
in their own older encodings have them, so that such files are refused. Other encodings cannot be told from
Windows-1252, so that the reader of tables leaves a note.
"""

import codecs
import io
import re
from io import BufferedIOBase
from typing import IO, Any, cast

MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""Byte-order marks and the encodings that they stand for."""

ONE_BYTE = "cp1252"
"""The encoding of bytes that are no UTF-8: Windows-1252."""

NO_TEXT = "bytes that are no text in UTF-8, UTF-16 or Windows-1252"

_HEAD = 1 << 16
_NO_WESTERN_TEXT = re.compile(rb"[\x00-\x08\x0e-\x19\x1b-\x1f]|([\xa1-\xff])(?!\1\1\1)[\xa1-\xff]{3}")


def encoding_of(content: bytes, cut: bool = False) -> tuple[str, int]:
    """Return the encoding of a text, and the length of its byte-order mark.

    Args:
        content: the bytes of a file.
        cut: whether they are only the first ones, so that the last letter may be cut.

    Raises:
        ValueError: the bytes are no text.
    """
    for mark, name in MARKS:
        if content.startswith(mark):
            return name, len(mark)
    # Without a mark, every second byte of UTF-16 is 0 in most languages that have few letters.
    for name, first in (("utf-16-le", 1), ("utf-16-be", 0)):
        if content[first::2].count(0) > 0.4 * (len(content) / 2) and not content[1 - first :: 2].count(0):
            return name, 0
    try:
        codecs.getincrementaldecoder("utf-8")().decode(content, final=not cut)
    except UnicodeDecodeError:
        # No text has these control characters, but almost every picture or archive has.
        if _NO_WESTERN_TEXT.search(content):
            raise ValueError(NO_TEXT) from None
        try:
            content.decode(ONE_BYTE)
        except UnicodeDecodeError:
            raise ValueError(NO_TEXT) from None
        return ONE_BYTE, 0
    return "utf-8", 0


def decoded(content: bytes) -> str:
    """Return the text of a file's bytes, without its byte-order mark.

    Raises:
        ValueError: the bytes are no text.

    >>> decoded("class,größe".encode("utf-16")), decoded("class,größe".encode("cp1252"))
    ('class,größe', 'class,größe')
    """
    name, mark = encoding_of(content)
    return content[mark:].decode(name)


def text_stream(stream: BufferedIOBase) -> io.TextIOWrapper:
    """Return a stream of text over one of bytes, at its beginning, for files that are too large to be read at once.

    Raises:
        ValueError: the first bytes are no text.
    """
    head = _head(stream)
    name, mark = encoding_of(head, cut=len(head) == _HEAD)
    stream.seek(mark)
    return io.TextIOWrapper(cast(IO[bytes], stream), encoding=name, newline="")


def utf8_stream(stream: BufferedIOBase) -> BufferedIOBase:
    """Return a stream of the same text in UTF-8 where a byte-order mark names UTF-16 or UTF-32, and else its bytes."""
    head = _head(stream)
    name, mark = next(((name, len(mark)) for mark, name in MARKS if head.startswith(mark)), ("utf-8", 0))
    stream.seek(mark)
    return stream if name == "utf-8" else io.BufferedReader(_Recoded(stream, name))


def _head(stream: BufferedIOBase) -> bytes:
    stream.seek(0)
    return stream.read(_HEAD)


class _Recoded(io.RawIOBase):
    """Bytes of another encoding as UTF-8."""

    def __init__(self, stream: BufferedIOBase, encoding: str) -> None:
        super().__init__()
        self.stream, self.decoder = stream, codecs.getincrementaldecoder(encoding)()
        self.left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self.left and (part := self.stream.read(_HEAD)):
            self.left = self.decoder.decode(part).encode()
        taken, self.left = self.left[: len(buffer)], self.left[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)
