"""MATLAB files that people write by hand, with every tool they use for it, are read right or refused by name."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.sparse
from scipy.io import savemat

from rezsl.data import load_xlsa17, read_feature_rows
from rezsl.data._data_files import read_matlab, strings_of
from rezsl.errors import DataError

NAMES = ["ant", "brown bear", "café", "deer", "elk", "fox"]
CLASSES, ATTRIBUTES, DIMENSIONS, IMAGES = len(NAMES), 9, 5, 36
Contents = dict[str, Any]


def contents() -> tuple[Contents, Contents]:
    random = np.random.default_rng(0)
    labels, one_based = np.arange(IMAGES) % CLASSES, np.arange(1, IMAGES + 1)
    held_out = np.arange(IMAGES) >= 30
    features = {"features": random.random((DIMENSIONS, IMAGES)), "labels": labels[:, None] + 1.0}
    split = {
        "att": random.random((ATTRIBUTES, CLASSES)),
        "allclasses_names": np.array(NAMES, dtype=object)[:, None],
        "trainval_loc": one_based[(labels < 4) & ~held_out][:, None],
        "test_seen_loc": one_based[(labels < 4) & held_out][:, None],
        "test_unseen_loc": one_based[labels >= 4][:, None],
    }
    return features, split


def check(root: Path) -> None:
    """The benchmark is the one that was written, however it was written."""
    found, (features, split) = load_xlsa17(root), contents()
    np.testing.assert_allclose(found.inputs, features["features"].T, rtol=1e-6)  # type: ignore[arg-type]
    np.testing.assert_allclose(found.semantics.values, split["att"].T, rtol=1e-6)
    assert found.semantics.classes == tuple(NAMES)
    assert found.unseen_classes == ("elk", "fox")


def by_scipy(path: Path, variables: Contents) -> None:
    savemat(path, variables)


def by_h5py(path: Path, variables: Contents) -> None:
    """Plain HDF5: arrays as NumPy has them, text as HDF5's own."""
    with h5py.File(path, "w") as file:
        for name, value in variables.items():
            file[name] = [*value.ravel()] if value.dtype == object else value


def by_matlab(path: Path, variables: Contents, marks: Callable[[str], Any] = np.bytes_) -> None:
    """As MATLAB 7.3: reversed dimensions, marked types, cells as references."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in variables.items():
            if value.dtype == object:
                references = np.empty(value.T.shape, dtype=h5py.ref_dtype)
                for number, text in enumerate(value.ravel()):
                    codes = np.frombuffer(text.encode("utf-16-le"), "<u2")[:, None]
                    node = file.create_dataset(f"#refs#/{name}{number}", data=codes)
                    node.attrs["MATLAB_class"] = marks("char")
                    references.ravel()[number] = node.ref
                file.create_dataset(name, data=references).attrs["MATLAB_class"] = marks("cell")
            else:
                node = file.create_dataset(name, data=np.asarray(value).T)
                node.attrs["MATLAB_class"] = marks("double")
    with path.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124))


def by_a_writer_like_mat73(path: Path, variables: Contents) -> None:
    """The same without MATLAB's header, and with marks of another type of text."""
    by_matlab(path, variables, str)
    content = path.read_bytes()
    path.write_bytes(bytes(10) + content[10:])


WRITERS = [by_scipy, by_h5py, by_matlab, by_a_writer_like_mat73]


@pytest.mark.parametrize("write", WRITERS)
def test_every_writer_gives_the_same_benchmark(tmp_path: Path, write: Callable[..., None]) -> None:
    features, split = contents()
    write(tmp_path / "res101.mat", features)
    write(tmp_path / "att_splits.mat", split)
    check(tmp_path)
    np.testing.assert_allclose(read_feature_rows(tmp_path / "res101.mat"), features["features"].T, rtol=1e-6)


NAMES_BY_SCIPY = {
    "a list": NAMES,
    "an array": np.array(NAMES),
    "rows": np.array([name.ljust(12) for name in NAMES]),
    "objects": np.array(NAMES, dtype=object),
    "a row of cells": np.array(NAMES, dtype=object)[None],
    "cells in cells": np.array([[np.array([[name]], dtype=object)] for name in NAMES] + [[None]], dtype=object)[:-1],
}


@pytest.mark.parametrize("kind", NAMES_BY_SCIPY)
def test_names_as_scipy_and_octave_write_them(tmp_path: Path, kind: str) -> None:
    features, split = contents()
    savemat(tmp_path / "res101.mat", {"features": features["features"].astype("f4"), "labels": features["labels"].ravel().astype("u1")})  # fmt: skip
    savemat(tmp_path / "att_splits.mat", split | {"allclasses_names": NAMES_BY_SCIPY[kind]})
    check(tmp_path)


def names_of_h5py(path: Path, kind: str) -> None:
    with h5py.File(path, "r+") as file:
        del file["allclasses_names"]
        if kind == "bytes of one length":
            file["allclasses_names"] = np.array([name.encode() for name in NAMES])
        elif kind == "a column":
            file["allclasses_names"] = np.array(NAMES, dtype=object)[:, None]
        else:
            codes = np.array([[ord(letter) for letter in name.ljust(12)] for name in NAMES], "u2")
            node = file.create_dataset("allclasses_names", data=codes.T)
            node.attrs["MATLAB_class"] = np.bytes_("char")


@pytest.mark.parametrize(("write", "kind"), [(by_h5py, "bytes of one length"), (by_h5py, "a column"), (by_matlab, "characters"), (by_a_writer_like_mat73, "characters")])  # fmt: skip
def test_names_in_hdf5(tmp_path: Path, write: Callable[..., None], kind: str) -> None:
    features, split = contents()
    write(tmp_path / "res101.mat", features)
    write(tmp_path / "att_splits.mat", split)
    names_of_h5py(tmp_path / "att_splits.mat", kind)
    check(tmp_path)


def test_sparse_matrices_of_every_version(tmp_path: Path) -> None:
    dense = np.array([[0, 2, 0], [1, 0, 0], [0, 0, 3], [0, 0, 4.0]])
    columns = scipy.sparse.csc_matrix(dense)
    savemat(tmp_path / "a.mat", {"x": columns})
    with h5py.File(tmp_path / "b.mat", "w") as file:
        group = file.create_group("x")
        for name, part in (("data", columns.data), ("ir", columns.indices), ("jc", columns.indptr)):
            group[name] = part
        group.attrs["MATLAB_class"], group.attrs["MATLAB_sparse"] = np.bytes_("double"), len(dense)
    for name in ("a.mat", "b.mat"):
        assert read_matlab(tmp_path / name)["x"].tolist() == dense.tolist()
    savemat(tmp_path / "a.mat", {"x": scipy.sparse.csc_matrix((1 << 20, 1 << 20))})
    with pytest.raises(DataError, match=r"a\.mat: expected arrays of at most 838,902,400 bytes"):
        read_matlab(tmp_path / "a.mat")


def test_structures_beside_the_variables_are_left_alone(tmp_path: Path) -> None:
    features, split = contents()
    savemat(tmp_path / "res101.mat", features | {"about": {"author": "x", "year": 2018}})
    by_matlab(tmp_path / "att_splits.mat", split)
    with h5py.File(tmp_path / "att_splits.mat", "r+") as file:
        file["about/author"] = np.array([[120]], "u2")
    check(tmp_path)
    with pytest.raises(
        DataError, match=r"att_splits\.mat: /about: expected an array, got a structure; save its fields"
    ):
        read_matlab(tmp_path / "att_splits.mat", ["about"])


def test_octaves_own_formats_are_named(tmp_path: Path) -> None:
    features, _ = contents()
    savemat(tmp_path / "res101.mat", features)
    for head, kind in ((b"# Created by Octave 8.4.0, Mon Jan 1\n# name: att\n", "Octave's own text"), (b"Octave-1-L\x00", "Octave's own binary format")):  # fmt: skip
        (tmp_path / "att_splits.mat").write_bytes(head + bytes(100))
        with pytest.raises(
            DataError, match=rf"att_splits\.mat: expected a MATLAB file, got {kind}; write it with save -v7"
        ):
            load_xlsa17(tmp_path)
    with h5py.File(tmp_path / "att_splits.mat", "w") as file:
        file["att/value"] = np.eye(3)
        file["att"].attrs["OCTAVE_NEW_FORMAT"] = np.uint8(1)
    with pytest.raises(
        DataError, match=r"/att: expected an array, got a variable of Octave's own HDF5; write the file with save -v7"
    ):
        load_xlsa17(tmp_path)


@pytest.mark.parametrize("kind", ["string", "table", "function_handle", "struct"])
def test_types_that_only_matlab_reads_are_named(tmp_path: Path, kind: str) -> None:
    features, split = contents()
    by_matlab(tmp_path / "res101.mat", features)
    by_matlab(tmp_path / "att_splits.mat", split)
    with h5py.File(tmp_path / "att_splits.mat", "r+") as file:
        file["allclasses_names"].attrs["MATLAB_class"] = np.bytes_(kind)
    with pytest.raises(
        DataError,
        match=rf"att_splits\.mat: /allclasses_names: expected numbers, text or cells, got MATLAB's type '{kind}'",
    ):
        load_xlsa17(tmp_path)


def opaque(name: str) -> bytes:
    """Return MATLAB's strings in a file of version 5: an object whose content only MATLAB knows."""

    def element(kind: int, content: bytes) -> bytes:
        return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)

    numbers = element(6, struct.pack("<II", 13, 0)) + element(5, struct.pack("<ii", 1, 1)) + element(1, b"") + element(6, struct.pack("<I", 7))  # fmt: skip
    content = element(6, struct.pack("<II", 17, 0)) + element(1, name.encode()) + element(1, b"MCOS") + element(1, b"string")  # fmt: skip
    return element(14, content + element(14, numbers))


def test_names_as_strings_of_matlab_are_not_lost(tmp_path: Path) -> None:
    features, split = contents()
    del split["allclasses_names"]
    savemat(tmp_path / "res101.mat", features)
    savemat(tmp_path / "att_splits.mat", split)
    with (tmp_path / "att_splits.mat").open("ab") as stream:
        stream.write(opaque("allclasses_names"))
    with pytest.raises(
        DataError, match=r"expected a variable 'allclasses_names', got .*only MATLAB reads; save cellstr\(names\)"
    ):
        load_xlsa17(tmp_path)


@pytest.mark.parametrize(
    ("cells", "got"),
    [
        ([["a"], [""], [np.empty((0, 0))]], "an empty cell in cell 2"),
        ([["a"], [np.array(["x", "y"])]], r"an array of shape \(2,\) in cell 2"),
        ([["a"], [1.5]], "a value of the type float64 in cell 2"),
    ],
)
def test_cells_that_are_no_names(tmp_path: Path, cells: list[Any], got: str) -> None:
    array = np.empty((len(cells), 1), dtype=object)
    for row, (cell,) in enumerate(cells):
        array[row, 0] = cell
    savemat(tmp_path / "a.mat", {"names": array})
    with pytest.raises(
        DataError, match=rf"a\.mat: 'names': expected one text per cell, got {got}; save the names as a"
    ):
        strings_of(read_matlab(tmp_path / "a.mat"), "names", tmp_path / "a.mat")


def test_numbers_in_place_of_names(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"names": np.array([[101.0], [7.0]])})
    assert strings_of(read_matlab(tmp_path / "a.mat"), "names", tmp_path / "a.mat") == ["101", "7"]


class TestTheTable:
    """``att`` the wrong way round, and attributes of which nothing is known."""

    @staticmethod
    def write(root: Path, **changes: Any) -> None:
        features, split = contents()
        savemat(root / "res101.mat", features)
        savemat(
            root / "att_splits.mat", {name: value for name, value in (split | changes).items() if value is not None}
        )

    def test_transposed_with_names_is_recognised(self, tmp_path: Path) -> None:
        att = contents()[1]["att"]
        self.write(tmp_path, att=att.T, original_att=att.T * 2)
        check(tmp_path)
        assert load_xlsa17(tmp_path).notes == (
            "'att' has a row for each of the 6 names and was read as classes × attributes",
        )

    @pytest.mark.parametrize("attributes", [3, 9])
    def test_transposed_without_names_is_refused(self, tmp_path: Path, attributes: int) -> None:
        att = contents()[1]["att"][:attributes]
        self.write(tmp_path, att=att.T, allclasses_names=None)
        with pytest.raises(
            DataError,
            match=rf"att_splits\.mat: expected 'att' as attributes × classes, got shape \(6, {attributes}\), whose 6 rows are as many as the classes in 'labels' of res101\.mat; save its transpose, or add allclasses_names",
        ):
            load_xlsa17(tmp_path)
        self.write(tmp_path, att=att, allclasses_names=None)
        assert load_xlsa17(tmp_path).semantics.values.shape == (6, attributes)

    def test_a_square_table_with_rows_of_length_1_is_refused(self, tmp_path: Path) -> None:
        square = np.random.default_rng(1).random((6, 6)) + 0.1
        unit = square / np.linalg.norm(square, axis=0)
        self.write(tmp_path, att=unit)
        assert load_xlsa17(tmp_path).semantics.values.shape == (6, 6)
        self.write(tmp_path, att=unit.T)
        with pytest.raises(
            DataError,
            match=r"expected 'att' as attributes × classes with columns of length 1, got rows of length 1; save",
        ):
            load_xlsa17(tmp_path)

    @pytest.mark.filterwarnings("error")
    @pytest.mark.parametrize("unknown", [-1, np.nan])
    def test_an_attribute_unknown_for_every_class(self, tmp_path: Path, unknown: float) -> None:
        att = contents()[1]["att"]
        original = att.copy()
        original[2] = unknown
        self.write(tmp_path, original_att=original)
        with pytest.raises(DataError) as refused:
            load_xlsa17(tmp_path)
        assert str(refused.value) == (
            f"{tmp_path / 'att_splits.mat'}: expected a known value of every attribute, got none (-1 or NaN for every "
            f"class) for 'attribute 3'; fill in one, remove the attribute, or choose missing keep"
        )
        if unknown == -1:
            assert load_xlsa17(tmp_path, missing="keep").semantics.values.shape == (6, 9)

    def test_unknown_as_nan_takes_the_mean(self, tmp_path: Path) -> None:
        att = contents()[1]["att"].copy()
        mean = att[2, 1:].mean()
        att[2, 0] = np.nan
        self.write(tmp_path, att=att)
        assert load_xlsa17(tmp_path).semantics.values[0, 2] == pytest.approx(mean)

    @pytest.mark.parametrize(
        "att", [np.array([["a", "b"]]), np.array([[1, 2], ["x", 3]], dtype=object), np.zeros((2, 2), complex)]
    )
    def test_tables_that_are_no_numbers(self, tmp_path: Path, att: np.ndarray) -> None:
        self.write(tmp_path, att=att)
        with pytest.raises(
            DataError, match=r"att_splits\.mat: expected 'att' as numbers of attributes × classes, got "
        ):
            load_xlsa17(tmp_path)

    def test_features_the_wrong_way_round(self, tmp_path: Path) -> None:
        self.write(tmp_path)
        features, _ = contents()
        savemat(tmp_path / "res101.mat", features | {"features": features["features"].T})
        with pytest.raises(
            DataError, match=r"res101\.mat: expected 'features' as dimensions × 36 images .*; save its transpose"
        ):
            load_xlsa17(tmp_path)
