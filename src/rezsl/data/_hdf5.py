"""Files of MATLAB 7.3, which are HDF5. Their numbers must lie in the file itself; HDF5 can point to other files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rezsl.errors import DataError, needs
from rezsl.limits import MOST_DEPTH, check_expansion

_REMEDY = "save the variables again, with save('-v7.3') in MATLAB"


def read_hdf5(path: Path, variables: Sequence[str] | None) -> dict[str, np.ndarray]:
    """Return the variables of these names, or all, with MATLAB's shapes.

    Raises:
        DataError: a variable is no array, lies in another file, or is far larger than the file.
    """
    with needs("matlab", "files of MATLAB 7.3"):
        import h5py  # noqa: PLC0415 - an optional package

    with h5py.File(path, "r") as file:
        reader = _Reader(path, file)
        names = [name for name in file if not name.startswith("#") and (variables is None or name in variables)]
        return {name: reader.variable(name) for name in names}


class _Reader:
    """Reads arrays, and cells that refer to other arrays; each array is read once, however many cells refer to it."""

    def __init__(self, path: Path, file: Any) -> None:
        self.path, self.file, self.size = path, file, 0
        self.found: dict[int, np.ndarray | None] = {}

    def variable(self, name: str) -> np.ndarray:
        import h5py  # noqa: PLC0415 - as above

        if isinstance(link := self.file.get(name, getlink=True), h5py.ExternalLink):
            raise self._elsewhere(name, f"a link to {link.filename[:80]!r}")
        return self.array(self.file[name], 0)

    def array(self, node: Any, depth: int) -> np.ndarray:
        """Return an array of HDF5, which stores MATLAB's arrays with reversed dimensions, and cells as references."""
        import h5py  # noqa: PLC0415 - as above

        if not isinstance(node, h5py.Dataset):
            raise DataError(f"variable {node.name}: expected an array, got a structure")
        place = h5py.h5o.get_info(node.id).addr
        known = self.found.setdefault(place, None)
        if known is not None:
            return known
        if depth > MOST_DEPTH:
            raise DataError(f"{self.path}: {node.name}: expected cells of values, got cells that contain each other")
        self._check(node)
        self.found[place] = result = self._read(node, depth)
        return result

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

        value = node[()]
        if node.attrs.get("MATLAB_empty"):
            # MATLAB writes the shape in place of an empty array, because HDF5 did not allow empty arrays once.
            is_text = node.attrs.get("MATLAB_class") == b"char"
            return np.array([""]) if is_text else np.empty([int(side) for side in np.ravel(value)])
        if node.dtype == h5py.ref_dtype:
            cells = np.empty(value.shape, dtype=object)
            for position in np.ndindex(value.shape):
                cells[position] = self.array(self.file[value[position]], depth + 1)
            return cells.T
        if node.attrs.get("MATLAB_class") == b"char":
            return np.array(["".join(map(chr, np.asarray(value).ravel(order="F")))])
        return np.asarray(value).T
