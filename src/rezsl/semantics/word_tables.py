"""Small tables of vectors: NumPy's files and comma-separated text."""

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
from rezsl.semantics.found_words import FoundWords


def read_rows(array: np.ndarray, attributes: Sequence[str], source: str) -> Float[Tensor, "S L"]:
    """Rows of an array as the vectors of the attributes, in their order.

    Raises:
        DataError: not one row per attribute, not numbers, or a number that is not finite as float32.
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


def read_arrays(path: Path) -> tuple[np.ndarray | None, np.ndarray]:
    """Names (None where the file has none) and vectors of a ``.npy`` or ``.npz`` file; pickled objects are refused.

    Raises:
        DataError: the file is missing, damaged, or holds anything but ``vectors`` and ``names``, or one array.
    """
    try:
        with path.open("rb") as stream:
            loaded = np.load(stream, allow_pickle=False)
            arrays = {"vectors": loaded} if isinstance(loaded, np.ndarray) else dict(loaded.items())
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); expected arrays of NumPy") from error
    # A damaged archive makes NumPy and zipfile raise almost anything (BadZipFile, EOFError, zlib.error, KeyError, …).
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{path}: expected arrays of numbers and text, got pickled objects or a damaged file ({reason}); "
            "write it with numpy.savez(path, names=numpy.array(names, dtype=str), vectors=vectors)"
        ) from error
    if len(arrays) == 1:
        return None, next(iter(arrays.values()))
    if set(arrays) != {"names", "vectors"}:
        raise DataError(f"{path}: expected the arrays 'names' and 'vectors', or one array, got {sorted(arrays)}")
    return arrays["names"], arrays["vectors"]


def find_rows(names: np.ndarray, vectors: np.ndarray, found: FoundWords) -> int:
    """Find words among named rows; gives L.

    Raises:
        DataError: names are not text, their number is not that of the rows, a needed number is not finite.
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
        if name in found.wanted:
            found.add(name, vectors[position].tolist(), position, f"row {position + 1}")
    return int(vectors.shape[1])


def read_csv(stream: BufferedIOBase, found: FoundWords) -> int:
    """Find words in comma-separated lines ``word,number,number,…``, with or without a header; gives L.

    Raises:
        DataError: no UTF-8 text, no rows, a row of another length than the first, something that is not a number.
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
    if name in found.wanted and not (position == 0 and _is_header(row)):
        found.add(name, row[1:], position, place)


def _is_header(row: list[str]) -> bool:
    """Column titles: not one of its cells is a number."""
    return not any(_is_number(cell) for cell in row[1:])


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
