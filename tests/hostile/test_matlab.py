"""MATLAB files that point to other files, or declare more than they hold."""

import io
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from rezsl.data import load_xlsa17
from rezsl.data._data_files import read_feature_rows, read_matlab, read_variable
from rezsl.errors import DataError

h5py = pytest.importorskip("h5py")


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file of another folder, as raw bytes and as HDF5."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "secret.txt").write_bytes(b"password" * 10)
    with h5py.File(tmp_path / "other" / "secret.h5", "w") as file:
        file["x"] = np.arange(80.0)
    return tmp_path / "other"


def external_storage(file: Any, secret: Path) -> None:
    file.create_dataset("features", (80,), "u1", external=[(str(secret / "secret.txt"), 0, 80)])


def external_link(file: Any, secret: Path) -> None:
    file["features"] = h5py.ExternalLink(str(secret / "secret.h5"), "/x")


def virtual_array(file: Any, secret: Path) -> None:
    layout = h5py.VirtualLayout((80,), "f8")
    layout[:] = h5py.VirtualSource(str(secret / "secret.h5"), "x", (80,))
    file.create_virtual_dataset("features", layout)


def cell_of_external_storage(file: Any, secret: Path) -> None:
    file.create_dataset("#refs#/a", (80,), "u1", external=[(str(secret / "secret.txt"), 0, 80)])
    file.create_dataset("features", (1, 1), h5py.ref_dtype)[0, 0] = file["#refs#/a"].ref


def cell_in_a_linked_file(file: Any, secret: Path) -> None:
    external_link(file, secret)
    file["other"] = h5py.SoftLink("/features")


@pytest.mark.parametrize(
    ("write", "got"),
    [
        (external_storage, "external storage in '"),
        (external_link, "a link to '"),
        (virtual_array, "a virtual array over '"),
        (cell_of_external_storage, "external storage in '"),
        (cell_in_a_linked_file, "a link to '"),
    ],
)
def test_other_files_are_not_read(tmp_path: Path, secret: Path, write: Any, got: str) -> None:
    path = tmp_path / "a.mat"
    with h5py.File(path, "w") as file:
        write(file, secret)
    with pytest.raises(DataError) as refused:
        read_matlab(path)
    message = str(refused.value)
    assert message.startswith(f"{path}: ")
    assert f"expected numbers in the file itself, got {got}" in message
    assert "; save the variables again" in message
    assert "\n" not in message
    with pytest.raises(DataError, match="expected numbers in the file itself"):
        read_feature_rows(path)


def test_arrays_that_are_declared_and_not_there(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    with h5py.File(path, "w") as file:
        file.create_dataset("features", (1 << 20, 1 << 20), "f8", chunks=(1024, 1024), compression="gzip")
    begin = time.process_time()
    with pytest.raises(
        DataError, match=r"a\.mat: expected arrays of at most 268,435,456 bytes in a file of .*, got 8,796,"
    ):
        read_variable(path, "features")
    assert time.process_time() - begin < 1


def test_cells_that_contain_themselves(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    with h5py.File(path, "w") as file:
        cell = file.create_dataset("features", (1, 1), h5py.ref_dtype)
        cell[0, 0] = cell.ref
    with pytest.raises(
        DataError, match=r"a\.mat: /features: expected cells of values, got cells that contain each other"
    ):
        read_variable(path, "features")


def test_cells_that_multiply_are_read_once_each(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    with h5py.File(path, "w") as file:
        below = file.create_dataset("#refs#/0", data=np.ones((1, 1)))
        for level in range(1, 30):
            cell = file.create_dataset(f"#refs#/{level}", (1, 10), h5py.ref_dtype)
            cell[0] = [below.ref] * 10
            below = cell
        top = file.create_dataset("x", (1, 1), h5py.ref_dtype)
        top[0, 0] = below.ref
    begin = time.process_time()
    assert read_variable(path, "x").shape == (1, 1)
    assert time.process_time() - begin < 1


def test_links_within_the_file_are_followed(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    with h5py.File(path, "w") as file:
        file["#subsystem#/x"] = np.arange(6.0).reshape(2, 3)
        file["features"] = h5py.SoftLink("/#subsystem#/x")
    assert read_variable(path, "features").shape == (2, 3)  # as h5py wrote it; MATLAB would have marked it


def test_compressed_variables_that_swell(tmp_path: Path) -> None:
    stream = io.BytesIO()
    savemat(stream, {"features": np.zeros(1)}, do_compression=True)  # type: ignore[arg-type] # open files work
    header = stream.getvalue()[:128]
    size = 300 << 20
    compressor = zlib.compressobj()
    content = compressor.compress(struct.pack("<II", 14, size))
    content += b"".join(compressor.compress(bytes(1 << 20)) for _ in range(300)) + compressor.flush()
    path = tmp_path / "a.mat"
    path.write_bytes(header + struct.pack("<II", 15, len(content)) + content)
    with pytest.raises(
        DataError, match=r"a\.mat: expected arrays of at most 268,435,456 bytes in a file of .*, got 314,572,8"
    ):
        read_variable(path, "features")


@pytest.mark.parametrize("compressed", [True, False])
def test_honest_files_are_read(tmp_path: Path, compressed: bool) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"features": np.eye(30), "names": np.array(["a", "b"], dtype=object)}, do_compression=compressed)
    assert np.array_equal(read_variable(path, "features"), np.eye(30))


@pytest.mark.parametrize("names", ["../att_splits", "/etc/passwd"])
def test_damaged_files_are_one_line(tmp_path: Path, names: str) -> None:
    for content in (b"", b"MATLAB 5.0", b"MATLAB 7.3" + bytes(200), b"\x89HDF\r\n\x1a\n" + bytes(100), bytes(300)):
        (tmp_path / "att_splits.mat").write_bytes(content)
        with pytest.raises(DataError) as refused:
            load_xlsa17(tmp_path)
        assert "att_splits.mat" in str(refused.value)
        assert "\n" not in str(refused.value)
    with pytest.raises(DataError):
        load_xlsa17(tmp_path, split=names)
