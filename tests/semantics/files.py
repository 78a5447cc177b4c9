"""Writers of word-vector files that follow the descriptions of the formats."""

import gzip
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Table = Mapping[str, Sequence[float]]


def write_glove(path: Path, table: Table) -> Path:
    return _write(path, "".join(f"{word} {' '.join(map(repr, row))}\n" for word, row in table.items()).encode())


def write_word2vec_text(path: Path, table: Table) -> Path:
    """Write like the original program, with a blank before the end of every line."""
    lines = [f"{len(table)} {len(next(iter(table.values())))}\n"]
    lines += [f"{word} {' '.join(map(repr, row))} \n" for word, row in table.items()]
    return _write(path, "".join(lines).encode())


def write_word2vec_binary(path: Path, table: Table, end: bytes = b"\n") -> Path:
    content = f"{len(table)} {len(next(iter(table.values())))}\n".encode()
    for word, row in table.items():
        content += word.encode() + b" " + struct.pack(f"<{len(row)}f", *row) + end
    return _write(path, content)


def write_binary_without_ends(path: Path, table: Table) -> Path:
    """Write like gensim, without line ends."""
    return write_word2vec_binary(path, table, end=b"")


def write_csv(path: Path, table: Table) -> Path:
    lines = [",".join([f'"{word}"', *map(repr, row)]) for word, row in table.items()]
    return _write(path, "\n".join(["word" + ",x" * len(next(iter(table.values()))), *lines]).encode())


WRITERS: dict[str, Callable[[Path, Table], Path]] = {
    "glove.txt": write_glove,
    "glove.txt.gz": write_glove,
    "word2vec.vec": write_word2vec_text,
    "word2vec.bin": write_word2vec_binary,
    "gensim.bin.gz": write_binary_without_ends,
    "table.csv": write_csv,
}


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path
