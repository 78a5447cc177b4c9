"""MATLAB files, of version 5 to 7.2 through scipy and of version 7.3 (HDF5) through h5py, as one dictionary."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.errors import DataError

FEATURE_SUFFIXES = (".npy", ".mat")


def read_matlab(path: Path, variables: tuple[str, ...] | None = None) -> dict[str, np.ndarray]:
    """Read the variables of a MATLAB file; arrays have MATLAB's shapes in both versions.

    Args:
        path: the file.
        variables: read only those of these names that the file has, which saves the time for its features; None
            reads every variable.

    Raises:
        DataError: the file is missing, truncated or no MATLAB file.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; expected a MATLAB file")
    try:
        with path.open("rb") as stream:
            head = stream.read(10)
        is_hdf5 = head == b"MATLAB 7.3" or head.startswith(b"\x89HDF")
        return _read_hdf5(path, variables) if is_hdf5 else _read_level5(path, variables)
    except DataError:
        raise
    # A damaged file makes scipy and h5py raise almost anything (TypeError, zlib.error, struct.error, OSError, …).
    except Exception as error:
        raise DataError(f"{path}: not a readable MATLAB file, perhaps cut short in copying ({error})") from error


def read_variable(path: Path, name: str) -> np.ndarray:
    """One variable of a MATLAB file.

    Raises:
        DataError: as for :func:`read_matlab`, or the file has no such variable.
    """
    content = read_matlab(path)
    if name not in content:
        raise DataError(f"{path}: expected a variable {name!r}, got {', '.join(sorted(content)) or 'none'}")
    return content[name]


def strings_of(cells: np.ndarray) -> list[str]:
    """The strings of a cell array, however deeply each is nested."""
    return [_innermost(cell) for cell in cells.ravel()]


def read_feature_rows(path: str | Path) -> Float[Tensor, "N D"]:
    """Features from ``.npy`` (N × D, or one vector) or ``.mat`` (variable ``features``, D × N as in xlsa17).

    Raises:
        DataError: the file is missing or damaged, is of another kind or shape, or holds NaN or infinity.
    """
    path = Path(path)
    if path.suffix == ".mat":
        content = read_matlab(path)
        if "features" not in content:
            raise DataError(f"{path}: expected a variable 'features', got {', '.join(sorted(content)) or 'none'}")
        rows = content["features"].T
    elif path.suffix == ".npy":
        try:
            rows = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{path}: not a readable array of numbers ({error})") from error
    else:
        raise DataError(f"{path}: expected features as .npy or .mat")
    if rows.ndim == 1:
        rows = rows[None]
    if rows.ndim != 2 or rows.dtype.kind not in "fiu" or not rows.size:
        raise DataError(f"{path}: expected features as N × D numbers, got {rows.dtype} of shape {rows.shape}")
    with np.errstate(over="ignore"):  # what became infinite is refused below
        features = torch.from_numpy(np.ascontiguousarray(rows, dtype=np.float32))
    if not bool(features.isfinite().all()):
        bad = int((~features.isfinite().all(dim=1)).nonzero()[0])
        raise DataError(f"{path}: expected finite features, got NaN or infinity in row {bad}")
    return features


def _innermost(cell: Any) -> str:
    while isinstance(cell, np.ndarray):
        if cell.size != 1:
            raise DataError(f"expected one string per cell, got an array of shape {cell.shape}")
        cell = cell.ravel()[0]
    return str(cell)


def _read_level5(path: Path, variables: tuple[str, ...] | None) -> dict[str, np.ndarray]:
    from scipy.io import loadmat  # noqa: PLC0415 - a quarter of a second for these readers only

    content = loadmat(path, variable_names=variables)
    # Counts of visual words are mostly zeros, and MATLAB keeps them as a sparse matrix.
    return {
        name: value.toarray() if hasattr(value, "toarray") else value
        for name, value in content.items()
        if not name.startswith("__")
    }


def _read_hdf5(path: Path, variables: tuple[str, ...] | None) -> dict[str, np.ndarray]:
    import h5py  # noqa: PLC0415 - as above

    with h5py.File(path, "r") as file:
        return {
            name: _from_hdf5(file, file[name])
            for name in file
            if not name.startswith("#") and (variables is None or name in variables)
        }


def _from_hdf5(file: Any, node: Any) -> np.ndarray:
    """HDF5 keeps MATLAB's column-major arrays with their dimensions reversed, and cells as references."""
    import h5py  # noqa: PLC0415 - as above

    if not isinstance(node, h5py.Dataset):
        raise DataError(f"variable {node.name}: expected an array, got a structure")
    value = node[()]
    if node.attrs.get("MATLAB_empty"):
        # HDF5 arrays of nothing were not allowed once: MATLAB writes the shape in their place.
        is_text = node.attrs.get("MATLAB_class") == b"char"
        return np.array([""]) if is_text else np.empty([int(side) for side in np.ravel(value)])
    if node.dtype == h5py.ref_dtype:
        cells = np.empty(value.shape, dtype=object)
        for position in np.ndindex(value.shape):
            cells[position] = _from_hdf5(file, file[value[position]])
        return cells.T
    if node.attrs.get("MATLAB_class") == b"char":
        return np.array(["".join(map(chr, np.asarray(value).ravel(order="F")))])
    return np.asarray(value).T
