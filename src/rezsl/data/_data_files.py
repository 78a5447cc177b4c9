"""The files of data sets: lists and tables of text, MATLAB files of every version, and features."""

import math
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.data._hdf5 import read_hdf5
from rezsl.errors import DataError, name_some
from rezsl.files import check_file, delimiter_of, local_path, naming, read_csv, read_npz, read_text, reading
from rezsl.limits import check_expansion
from rezsl.semantics import ClassSemantics

FEATURE_SUFFIXES = (".npy", ".npz", ".mat", ".csv")
"""The endings of files of features, in small letters."""

OCTAVE = {b"# Created by Octave": "Octave's own text", b"Octave-1-": "Octave's own binary format"}
"""How files begin that Octave writes where no format is asked for."""

_OBJECTS = "__objects__"
"""Marks the content of a file that also has objects of MATLAB."""

_COMPRESSED = 15
"""The type of a compressed variable in a MATLAB file."""

_REMEDY = "perhaps it was cut short in copying, so copy it again"


def class_table(
    path: Path, classes: Sequence[str], attributes: Sequence[str], values: Tensor, groups: Sequence[str] | None = None
) -> ClassSemantics:
    """Return class semantics, with the file or folder that contains them in every error."""
    with naming(path):
        return ClassSemantics(
            tuple(classes), tuple(attributes), values, groups=None if groups is None else tuple(groups)
        )


def read_lines(path: Path) -> list[str]:
    """Return the lines of a file without surrounding blanks; empty lines at the end do not count."""
    lines = read_text(path, DataError, "text", "unpack the archive again").rstrip().splitlines()
    if not lines:
        raise DataError(f"{path}: expected one entry per line, got an empty file; unpack the archive again")
    return [line.strip() for line in lines]


def read_numbered(path: Path, count: int | None = None) -> list[str]:
    """Return the entries of a list whose lines read ``<number> <entry>``, numbered from 1 (to ``count``, if given)."""
    entries = []
    for number, line in enumerate(read_lines(path), start=1):
        first, _, entry = line.replace("\t", " ").partition(" ")
        if first != str(number) or not entry.strip():
            raise DataError(
                f"{path}, line {number}: expected '{number} <entry>', got {line[:60]!r}; unpack the archive again"
            )
        entries.append(entry.strip())
    if count is not None and len(entries) != count:
        raise DataError(f"{path}: expected {count:,} lines, got {len(entries):,}; unpack the archive again")
    return entries


def read_matrix(path: Path, rows: int, columns: int) -> Float[Tensor, "rows columns"]:
    """Return a table of numbers separated by blanks, as float64."""
    lines = read_lines(path)
    values = [numbers(line.split(), columns, f"{path}, line {number}") for number, line in enumerate(lines, start=1)]
    if len(values) != rows:
        raise DataError(f"{path}: expected {rows:,} lines, got {len(values):,}; unpack the archive again")
    return torch.tensor(values, dtype=torch.float64)


def numbers(cells: Sequence[str], count: int, place: str) -> list[float]:
    """Return cells as finite numbers."""
    if len(cells) != count:
        raise DataError(f"{place}: expected {count} numbers, got {len(cells)}; unpack the archive again")
    found = []
    for cell in cells:
        try:
            found.append(float(cell))
        except ValueError:
            found.append(math.nan)
        if not math.isfinite(found[-1]):
            raise DataError(f"{place}: expected finite numbers, got {cell[:60]!r}; unpack the archive again")
    return found


def read_matlab(
    path: Path, variables: Sequence[str] | None = None, required: Sequence[str] = (), wanted: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """Read the variables of a MATLAB file; arrays have MATLAB's shapes in all versions.

    Versions 5 to 7.2 are read by scipy, version 7.3 (HDF5) by h5py. With ``variables``, only those of these names are
    read, which saves the time for features. A damaged file, or one without a ``required`` variable, is a DataError;
    so is one without a ``wanted`` variable that has objects of MATLAB, such as strings, which nothing else can read.
    """
    check_file(path, "a MATLAB file", DataError)
    with reading(path, "a MATLAB file", DataError, _REMEDY):
        with path.open("rb") as stream:
            head = stream.read(520)
        for beginning, kind in OCTAVE.items():
            if head.startswith(beginning):
                raise DataError(f"{path}: expected a MATLAB file, got {kind}; write it with save -v7 in Octave")
        # HDF5 begins at once, or after a header such as MATLAB's, of 512 bytes.
        is_hdf5 = head.startswith((b"MATLAB 7.3", b"\x89HDF")) or head[512:].startswith(b"\x89HDF")
        content = read_hdf5(path, variables) if is_hdf5 else _read_level5(path, variables)
    objects = content.pop(_OBJECTS, None) is not None
    how = ", and strings or other objects that only MATLAB reads; save cellstr(names) in place of names"
    for name in (*required, *(wanted if objects else ())):
        if name not in content:
            got = ", ".join(sorted(content)) or "none"
            raise DataError(f"{path}: expected a variable {name!r}, got {got}{how if objects else '; save it too'}")
    return content


def read_variable(path: Path, name: str) -> np.ndarray:
    """Return one variable of a MATLAB file."""
    return read_matlab(path, required=[name])[name]


def strings_of(content: dict[str, np.ndarray], name: str, path: Path) -> list[str]:
    """Return the texts of a variable without blanks around them: of cells, however deeply each is nested, or of rows.

    MATLAB, Octave and scipy write lists of text as cells, or as rows of characters that are filled up with blanks.
    """
    with naming(f"{path}: {name!r}"):
        return [_innermost(cell, number) for number, cell in enumerate(content[name].ravel(), start=1)]


def whole_numbers(content: dict[str, np.ndarray], name: str, path: Path) -> np.ndarray:
    """Return a variable as one row of int64; MATLAB keeps whole numbers as floating-point numbers too."""
    values = np.asarray(content[name]).ravel()
    if values.dtype.kind not in "fiu":
        kind = "text or cells" if values.dtype.kind in "OUS" else str(values.dtype)
        raise DataError(f"{path}: expected whole numbers in {name!r}, got {kind}; save it as numbers")
    # A cast of NaN, infinity or numbers outside int64 would give some other number.
    wrong = values[~(np.isfinite(values) & (values == np.floor(values)) & (np.abs(values) < 2.0**62))]
    if wrong.size:
        raise DataError(f"{path}: expected whole numbers in {name!r}, got {wrong[0]}; correct it")
    return values.astype(np.int64)


def is_feature_file(path: Path) -> bool:
    """Return whether a file has the ending of one that :func:`read_feature_rows` reads, in small or capital letters."""
    return path.suffix.lower() in FEATURE_SUFFIXES


def read_feature_rows(path: str | Path, finite: bool = True) -> Float[Tensor, "N D"]:
    """Read features, a row of D numbers for each of N inputs; one row alone may be a vector.

    The ending says what the file is: ``.npy``; ``.npz`` with one array, or an array ``features``; ``.mat`` with the
    variable ``features``, D × N as in xlsa17; or ``.csv`` with numbers only, below a header or without one.

    A file that is missing, damaged, of another kind or shape, or, unless ``finite`` is false, contains NaN or infinity,
    is a DataError.
    """
    path = local_path(path)
    kind = path.suffix.lower()
    if not is_feature_file(path):
        raise DataError(
            f"{path}: expected features as {', '.join(FEATURE_SUFFIXES)}, got {kind or 'no ending'}"
            "; save them in one of these"
        )
    if kind == ".mat":
        rows = read_variable(path, "features").T
    elif kind == ".csv":
        rows = _rows_of_text(path)
    else:
        rows = _only_array(path)
    if rows.ndim == 1:
        rows = rows[None]
    if rows.ndim != 2 or rows.dtype.kind not in "fiu" or not rows.size:
        raise DataError(
            f"{path}: expected features as N × D numbers, got {rows.dtype} of shape {rows.shape}"
            "; save a row of numbers for each input"
        )
    with np.errstate(over="ignore"):  # numbers that become infinite are refused below
        features = torch.from_numpy(np.ascontiguousarray(rows, dtype=np.float32))
    if finite and not bool(features.isfinite().all()):
        bad = int((~features.isfinite().all(dim=1)).nonzero()[0])
        raise DataError(
            f"{path}: expected finite features, got NaN or infinity in row {bad}; correct the row, or leave it out"
        )
    return features


def _only_array(path: Path) -> np.ndarray:
    arrays = read_npz(path, DataError, "an array of numbers")
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    if "features" not in arrays:
        raise DataError(
            f"{path}: expected one array, or one with the name 'features', got {name_some(sorted(arrays)) or 'none'}; "
            f"save it as numpy.savez(file, features=rows)"
        )
    return arrays["features"]


def _rows_of_text(path: Path) -> np.ndarray:
    delimiter = delimiter_of(path, DataError)
    header, rows = read_csv(path, DataError, delimiter=delimiter)
    if header and all(_number(cell, delimiter) is not None for cell in header):
        rows = [(1, header), *rows]
    values = [[_number(cell, delimiter) for cell in cells] for _, cells in rows]
    for (line, cells), row in zip(rows, values, strict=True):
        if None in row:
            cell = cells[row.index(None)]
            raise DataError(
                f"{path}, line {line}: expected features, which are numbers only, got {cell[:60]!r}; remove what is no "
                f"number; photos are named one by one, or by their folder"
            )
    return np.array(values, dtype=np.float64)


def _number(cell: str, delimiter: str) -> float | None:
    try:
        return float(cell if delimiter == "," else cell.replace(",", "."))
    except ValueError:
        return None


def _innermost(cell: Any, number: int) -> str:
    expected = f"expected one text per cell, got {{}} in cell {number:,}; save the names as a cell array of text"
    while isinstance(cell, np.ndarray):
        if cell.size != 1:
            raise DataError(expected.format("an empty cell" if not cell.size else f"an array of shape {cell.shape}"))
        cell = cell.ravel()[0]
    if isinstance(cell, bytes):
        cell = cell.decode("utf-8", "replace")
    if isinstance(cell, float | np.floating) and float(cell).is_integer():
        cell = int(cell)  # numbers in place of names, as 101 and not 101.0
    if not isinstance(cell, str | int | np.integer):
        raise DataError(expected.format(f"a value of the type {type(cell).__name__}"))
    return str(cell).strip()


def _read_level5(path: Path, variables: Sequence[str] | None) -> dict[str, np.ndarray]:
    from scipy.io import loadmat  # noqa: PLC0415 - a quarter of a second for these readers only

    check_expansion(path, _declared(path), DataError, _REMEDY)
    content = loadmat(path, variable_names=None if variables is None else [*variables])
    # The strings of MATLAB are objects without a name of their own in the file.
    found = {
        name: _full(value, path) for name, value in content.items() if not name.startswith("__") and name != "None"
    }
    return found | ({_OBJECTS: np.empty(0)} if "__function_workspace__" in content or "None" in content else {})


def _full(value: Any, path: Path) -> np.ndarray:
    """Return an array; counts of visual words are mostly zeros, and MATLAB keeps them as a sparse matrix."""
    if hasattr(value, "toarray"):
        check_expansion(path, value.dtype.itemsize * value.shape[0] * value.shape[1], DataError, _REMEDY)
        return np.asarray(value.toarray())
    return np.asarray(value)


def _declared(path: Path) -> int:
    """Return the bytes that the variables of a MATLAB file of version 5 to 7.2 take once they are uncompressed."""
    total = 0
    with path.open("rb") as stream:
        stream.seek(126)
        order = {b"IM": "<", b"MI": ">"}.get(stream.read(2))
        if order is None:  # version 4, which compresses nothing
            return path.stat().st_size
        while len(tag := stream.read(8)) == 8:
            kind, size = struct.unpack(f"{order}II", tag)
            begin = stream.tell()
            if kind == _COMPRESSED:
                # A compressed variable begins with its own type and size.
                inner = zlib.decompressobj().decompress(stream.read(min(size, 256)), 8)
                total += struct.unpack(f"{order}II", inner)[1] if len(inner) == 8 else 0
            else:
                total += size
            stream.seek(begin + size)
    return total
