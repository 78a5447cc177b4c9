"""Files of MATLAB 7.3, which are HDF5, and HDF5 that other programs wrote with the same variables.

Their numbers must lie in the file itself; HDF5 can point to other files.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rezsl.errors import DataError, needs
from rezsl.limits import MOST_DEPTH, check_expansion

NUMBERS = (
    "double", "single", "logical", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
)  # fmt: skip
"""MATLAB's types of numbers."""

_REMEDY = "save the variables again, with save('-v7.3') in MATLAB"


def read_hdf5(path: Path, variables: Sequence[str] | None) -> dict[str, np.ndarray]:
    """Return the variables of these names, or all, with MATLAB's shapes; structures are left out unless they are named.

    MATLAB reverses the dimensions, and marks its variables. A file without these marks was written by h5py or another
    program, and its arrays are taken as they are.

    Raises:
        DataError: a variable is no array or has a type that only MATLAB or Octave reads, lies in another file, or is
            far larger than the file.
    """
    with needs("matlab", "files of MATLAB 7.3"):
        import h5py  # noqa: PLC0415 - an optional package

    with h5py.File(path, "r") as file:
        reader = _Reader(path, file)
        names = [name for name in file if not name.startswith("#") and (variables is None or name in variables)]
        if variables is None:
            names = [name for name in names if not reader.is_structure(name)]
        return {name: reader.variable(name) for name in names}


class _Reader:
    """Reads arrays, and cells that refer to other arrays; each array is read once, however many cells refer to it."""

    def __init__(self, path: Path, file: Any) -> None:
        self.path, self.file, self.size = path, file, 0
        self.found: dict[int, np.ndarray | None] = {}
        with path.open("rb") as stream:
            self.reversed = stream.read(10) == b"MATLAB 7.3" or self._has_marks()

    def _has_marks(self) -> bool:
        import h5py  # noqa: PLC0415 - as above

        local = [name for name in self.file if not isinstance(self.file.get(name, getlink=True), h5py.ExternalLink)]
        return any("MATLAB_class" in self.file[name].attrs for name in local)

    def is_structure(self, name: str) -> bool:
        """Return whether a variable is a structure, and neither an array nor a sparse matrix."""
        import h5py  # noqa: PLC0415 - as above

        if isinstance(self.file.get(name, getlink=True), h5py.ExternalLink):
            return False
        node = self.file[name]
        return (
            isinstance(node, h5py.Group) and "MATLAB_sparse" not in node.attrs and "OCTAVE_NEW_FORMAT" not in node.attrs
        )

    def variable(self, name: str) -> np.ndarray:
        import h5py  # noqa: PLC0415 - as above

        if isinstance(link := self.file.get(name, getlink=True), h5py.ExternalLink):
            raise self._elsewhere(name, f"a link to {link.filename[:80]!r}")
        return self.array(self.file[name], 0)

    def array(self, node: Any, depth: int) -> np.ndarray:
        """Return an array of HDF5, which stores MATLAB's arrays with reversed dimensions, and cells as references."""
        import h5py  # noqa: PLC0415 - as above

        if isinstance(node, h5py.Group) and "MATLAB_sparse" in node.attrs:
            return self._sparse(node)
        if not isinstance(node, h5py.Dataset):
            octave = "OCTAVE_NEW_FORMAT" in node.attrs
            got = "a variable of Octave's own HDF5" if octave else "a structure"
            how = "write the file with save -v7 in Octave" if octave else "save its fields as variables of their own"
            raise DataError(f"{self.path}: {node.name}: expected an array, got {got}; {how}")
        place = h5py.h5o.get_info(node.id).addr
        known = self.found.setdefault(place, None)
        if known is not None:
            return known
        if depth > MOST_DEPTH:
            raise DataError(
                f"{self.path}: {node.name}: expected cells of values, got cells that contain each other"
                "; save them as plain cells"
            )
        self._check(node)
        self.found[place] = result = self._read(node, depth)
        return result

    def _sparse(self, node: Any) -> np.ndarray:
        """Return a sparse matrix, which MATLAB keeps as the numbers, rows and first positions of its columns."""
        from scipy.sparse import csc_matrix  # noqa: PLC0415 - for these variables only

        parts = {name: self.array(node[name], 1).ravel() for name in ("data", "ir", "jc") if name in node}
        shape = int(node.attrs["MATLAB_sparse"]), len(parts["jc"]) - 1
        check_expansion(self.path, 8 * shape[0] * shape[1], DataError, _REMEDY)
        nothing = np.empty(0)
        return np.asarray(
            csc_matrix((parts.get("data", nothing), parts.get("ir", nothing), parts["jc"]), shape).toarray()
        )

    def _check(self, node: Any) -> None:
        """Refuse an array whose numbers lie in another file, or are declared without being there."""
        if node.external:
            raise self._elsewhere(node.name, f"external storage in {node.external[0][0][:80]!r}")
        if node.is_virtual:
            raise self._elsewhere(node.name, f"a virtual array over {node.virtual_sources()[0].file_name[:80]!r}")
        self.size += node.size * node.dtype.itemsize if node.size else 0
        check_expansion(self.path, self.size, DataError, _REMEDY)

    def _elsewhere(self, name: str, got: str) -> DataError:
        return DataError(f"{self.path}: {name}: expected numbers in the file itself, got {got}; {_REMEDY}")

    def _read(self, node: Any, depth: int) -> np.ndarray:
        import h5py  # noqa: PLC0415 - as above

        kind = _text(node.attrs.get("MATLAB_class", ""))
        if kind not in NUMBERS and kind not in ("", "char", "cell"):
            how = "cellstr(names)" if kind == "string" else "double(values) or cellstr(names)"
            raise DataError(
                f"{self.path}: {node.name}: expected numbers, text or cells, got MATLAB's type {kind!r}, which only "
                f"MATLAB reads; save {how} in its place"
            )
        value, is_text = node[()], kind == "char"
        if h5py.check_string_dtype(node.dtype) or node.dtype.kind == "S":
            texts = np.array([_text(entry) for entry in np.ravel(value)], dtype=object)
            return self._turned(texts.reshape(np.shape(value)))
        if node.attrs.get("MATLAB_empty"):
            # MATLAB writes the shape in place of an empty array, because HDF5 did not allow empty arrays once.
            return np.array([""]) if is_text else np.empty([int(side) for side in np.ravel(value)])
        if node.dtype == h5py.ref_dtype:
            cells = np.empty(value.shape, dtype=object)
            for position in np.ndindex(value.shape):
                cells[position] = self.array(self.file[value[position]], depth + 1)
            return self._turned(cells)
        if is_text:
            # The characters of a row are a column here, in UTF-16.
            codes = np.atleast_1d(np.asarray(value, dtype="<u2"))
            rows = codes.reshape(codes.shape[0], -1).T
            return np.array([np.ascontiguousarray(row).tobytes().decode("utf-16-le", "replace") for row in rows])
        return self._turned(np.asarray(value))

    def _turned(self, array: np.ndarray) -> np.ndarray:
        """Return an array with the dimensions that the program had which wrote it."""
        return array.T if self.reversed else array


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
