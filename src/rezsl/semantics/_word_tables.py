"""Reading word vectors from small tables: NumPy's files and comma-separated text."""

import csv
from collections.abc import Sequence
from io import BufferedIOBase, TextIOWrapper
from pathlib import Path
from typing import IO, cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.errors import DataError
from rezsl.files import read_npz
from rezsl.semantics._word_files import FoundWords


def read_arrays(path: Path) -> tuple[np.ndarray | None, np.ndarray]:
    """Read names (None where the file has none) and vectors from a ``.npy`` or ``.npz`` file; pickles are refused.

    Raises:
        DataError: the file is missing or damaged, or contains neither ``vectors`` and ``names`` nor one single array.
    """
    remedy = "write it with numpy.savez(path, names=numpy.array(names, dtype=str), vectors=vectors)"
    arrays = read_npz(path, DataError, "arrays of numbers and text without pickled objects", remedy)
    if len(arrays) == 1:
        return None, next(iter(arrays.values()))
    if set(arrays) != {"names", "vectors"}:
        got = ", ".join(sorted(arrays))
        raise DataError(f"{path}: expected the arrays 'names' and 'vectors', or one array, got {got}; {remedy}")
    return arrays["names"], arrays["vectors"]


def check_rows(array: np.ndarray, attributes: Sequence[str], source: str) -> Float[Tensor, "S L"]:
    """Take the rows of an array as the vectors of the attributes, in their order, as float32.

    Raises:
        DataError: the array has another number of rows, is not numeric, or has a number that is not finite as float32.
    """
    if array.ndim != 2 or len(array) != len(attributes) or not array.shape[1] or array.dtype.kind not in "fiu":
        raise DataError(
            f"{source}: expected numbers of shape ({len(attributes)}, L), one row per attribute in the table's order, "
            f"got {array.dtype} of shape {array.shape}"
        )
    with np.errstate(over="ignore"):
        rows = array.astype(np.float32)
    bad = np.argwhere(~np.isfinite(rows))
    if len(bad):
        row, column = bad[0]
        raise DataError(
            f"{source}, row {row + 1}, attribute {attributes[row]!r}: expected finite numbers, got {array[row, column]}"
        )
    return torch.from_numpy(np.ascontiguousarray(rows))


def find_rows(names: np.ndarray, vectors: np.ndarray, found: FoundWords) -> int:
    """Find words among named rows ``[N, L]``, and return L.

    Raises:
        DataError: the names are not N texts, the vectors are not numeric, or a needed number is not finite.
    """
    if (
        names.dtype.kind != "U"
        or vectors.ndim != 2
        or vectors.dtype.kind not in "fiu"
        or names.shape != vectors.shape[:1]
    ):
        raise DataError(
            f"{found.source}: expected text 'names' of shape (N,) and numbers 'vectors' of shape (N, L), got "
            f"{names.dtype} of shape {names.shape} and {vectors.dtype} of shape {vectors.shape}"
        )
    for position, name in enumerate(names.tolist()):
        if name in found.needed:
            found.add(name, vectors[position].tolist(), position, f"row {position + 1}")
    return int(vectors.shape[1])


def read_csv(stream: BufferedIOBase, found: FoundWords) -> int:
    """Find words in comma-separated lines ``word,number,number,…``, with or without a header, and return L.

    Raises:
        DataError: the file is not UTF-8 text, has no rows, rows of unequal length, or a field that is not a number.
    """
    length = 0
    try:
        with TextIOWrapper(cast(IO[bytes], stream), encoding="utf-8-sig", newline="") as text:
            rows = csv.reader(text)
            for position, row in enumerate(row for row in rows if row):
                length = length or len(row) - 1
                _read_row(row, position, f"line {rows.line_num}", length, found)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{found.source}: expected comma-separated UTF-8 text ({error})") from error
    if not length:
        raise DataError(f"{found.source}: expected lines of a word and its numbers, got an empty file")
    return length


def _read_row(row: list[str], position: int, place: str, length: int, found: FoundWords) -> None:
    if len(row) - 1 != length or not length:
        raise DataError(
            f"{found.source}, {place}: expected a word and {length or 'its'} numbers, got {len(row) - 1} numbers"
        )
    name = row[0].strip(" \t")
    # A first row without any number is a header.
    if name in found.needed and (position > 0 or any(map(_is_number, row[1:]))):
        found.add(name, row[1:], position, place)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
