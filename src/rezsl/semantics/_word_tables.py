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
            f"got {array.dtype} of shape {array.shape}"
        )
    with np.errstate(over="ignore"):
        rows = array.astype(np.float32)
    bad = np.argwhere(~np.isfinite(rows))
    if len(bad):
        row, column = bad[0]
        raise DataError(
            f"{path}, row {row + 1}, attribute {attributes[row]!r}: expected finite numbers, got {array[row, column]}"
        )
    return torch.from_numpy(np.ascontiguousarray(rows))


def find_rows(names: np.ndarray, vectors: np.ndarray, found: FoundWords) -> int:
    """Find words among named rows ``[N, L]``."""
    numeric = vectors.ndim == 2 and vectors.dtype.kind in "fiu"
    if not numeric or names.dtype.kind != "U" or names.shape != vectors.shape[:1]:
        raise DataError(
            f"{found.source}: expected text 'names' of shape (N,) and numbers 'vectors' of shape (N, L), got "
            f"{names.dtype} of shape {names.shape} and {vectors.dtype} of shape {vectors.shape}"
        )
    for position, name in enumerate(names.tolist()):
        if name in found.needed:
            found.add(name, vectors[position].tolist(), position, f"row {position + 1}")
    return int(vectors.shape[1])


def read_csv(stream: BufferedIOBase, found: FoundWords) -> int:
    """Find words in comma-separated lines ``word,number,number,…``, with or without a header."""
    length = 0
    try:
        with TextIOWrapper(cast(IO[bytes], stream), encoding="utf-8-sig", newline="") as text:
            rows = csv.reader(text)
            for position, (word, *numbers) in enumerate(filter(None, rows)):
                length = length or len(numbers)
                place = f"line {rows.line_num}"
                if len(numbers) != length or not length:
                    expected = f"expected a word and {length or 'its'} numbers, got {len(numbers)} numbers"
                    raise DataError(f"{found.source}, {place}: {expected}")
                name = word.strip(" \t")
                # A first row without any number is a header.
                if name in found.needed and (position > 0 or any(map(_is_number, numbers))):
                    found.add(name, numbers, position, place)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{found.source}: expected comma-separated UTF-8 text ({error})") from error
    if not length:
        raise DataError(f"{found.source}: expected lines of a word and its numbers, got an empty file")
    return length


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
