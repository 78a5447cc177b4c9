from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from scipy.io import savemat
from scipy.sparse import csc_array

from rezsl.data import load_xlsa17, read_feature_rows, read_split_file
from rezsl.errors import DataError

Write = Callable[[Path, dict[str, Any]], None]


def cells(names: list[str]) -> np.ndarray:
    array = np.empty((len(names), 1), dtype=object)
    for position, name in enumerate(names):
        array[position, 0] = name
    return array


def content(images: int = 24) -> tuple[dict[str, Any], dict[str, Any]]:
    """Features and split of six classes, four images each: a to d seen (d for validation), e and f unseen."""
    rng = np.random.default_rng(0)
    labels = np.arange(images) // 4 + 1
    one_based = np.arange(1, images + 1, dtype=np.uint16)[:, None]
    is_seen, held_out = labels <= 4, np.arange(images) % 4 == 0
    features = {
        "features": rng.normal(size=(5, images)).astype(np.float32),
        "labels": labels[:, None].astype(np.float64),
        "image_files": cells([f"/home/x/images/{'abcdef'[label - 1]}/{i}.jpg" for i, label in enumerate(labels)]),
    }
    split = {
        "att": rng.random((3, 6)) + 0.1,
        "original_att": rng.random((3, 6)) * 100,
        "allclasses_names": cells(list("abcdef")),
        "trainval_loc": one_based[is_seen & ~held_out],
        "test_seen_loc": one_based[is_seen & held_out],
        "test_unseen_loc": one_based[~is_seen],
        "train_loc": one_based[labels <= 3],  # as in the files of 2018, with images of test_seen_loc
        "val_loc": one_based[labels == 4],
    }
    return features, split


def save_hdf5(path: Path, variables: dict[str, Any]) -> None:
    """As MATLAB 7.3 writes them: dimensions reversed, cells as references to character codes."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in variables.items():
            if value.dtype == object:
                references = np.empty(value.T.shape, dtype=h5py.ref_dtype)
                for number, text in enumerate(value.ravel()):
                    codes = np.array([[ord(letter)] for letter in text], dtype=np.uint16)
                    node = file.create_dataset(f"#refs#/{name}{number}", data=codes)
                    node.attrs["MATLAB_class"] = np.bytes_("char")
                    references[0, number] = node.ref
                file.create_dataset(name, data=references)
            elif not value.size:
                node = file.create_dataset(name, data=np.array(value.shape, dtype=np.uint64))
                node.attrs["MATLAB_empty"] = np.uint8(1)
            else:
                file.create_dataset(name, data=value.T)
    with path.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    features, split = content()
    savemat(tmp_path / "res101.mat", features)
    savemat(tmp_path / "att_splits.mat", split)
    return tmp_path


def rewrite(root: Path, file: str = "att_splits", **changes: Any) -> None:
    """Write one of the two files again with some variables changed, or removed where None is given."""
    features, split = content()
    variables = (features if file == "res101" else split) | changes
    savemat(root / f"{file}.mat", {name: value for name, value in variables.items() if value is not None})


@pytest.mark.parametrize("write", [savemat, save_hdf5])
def test_both_generations_of_matlab_files(tmp_path: Path, write: Write) -> None:
    features, split = content()
    write(tmp_path / "res101.mat", features)
    write(tmp_path / "att_splits.mat", split)
    benchmark = load_xlsa17(tmp_path)
    assert isinstance(benchmark.inputs, torch.Tensor)
    np.testing.assert_array_equal(benchmark.inputs.numpy(), features["features"].T)
    assert benchmark.labels.tolist() == [label // 4 for label in range(24)]
    np.testing.assert_allclose(benchmark.semantics.values.numpy(), split["att"].T, rtol=1e-6)
    assert benchmark.semantics.classes == tuple("abcdef")
    assert benchmark.unseen_classes == ("e", "f")
    assert benchmark.split.test_unseen.tolist() == list(range(16, 24))  # counted from 0
    np.testing.assert_array_equal(read_feature_rows(tmp_path / "res101.mat").numpy(), features["features"].T)


def test_images_of_the_test_are_left_out_of_training_and_said_so(root: Path) -> None:
    benchmark = load_xlsa17(root)
    test = set(benchmark.split.test_seen.tolist())
    assert not test & set(benchmark.split.train.tolist())
    assert not test & set(benchmark.split.val.tolist())
    assert benchmark.class_names(benchmark.split.val) == ("d",)
    assert benchmark.notes == (
        "3 images of train_loc are test images and were left out of it",
        "1 images of val_loc are test images and were left out of it",
    )


def test_unknown_values_take_the_mean_of_the_other_classes(root: Path) -> None:
    _, split = content()
    split["original_att"][1, 2] = -1
    rewrite(root, original_att=split["original_att"])
    known = np.delete(split["att"][1], 2).mean()
    benchmark = load_xlsa17(root)
    assert benchmark.semantics.values[2, 1].item() == pytest.approx(known, rel=1e-6)
    assert benchmark.notes[0].startswith("1 unknown class semantics")
    kept = load_xlsa17(root, missing="keep")
    assert kept.semantics.values[2, 1].item() == pytest.approx(split["att"][1, 2], rel=1e-6)


def test_files_without_names_original_values_or_validation(root: Path) -> None:
    rewrite(root, allclasses_names=None, original_att=None, train_loc=None, val_loc=None)
    benchmark = load_xlsa17(root)
    assert benchmark.semantics.classes[0] == "class 1"
    assert not len(benchmark.split.val)


def test_attribute_names_come_from_the_file_beside(root: Path) -> None:
    (root / "attributes.txt").write_text("fur\nwings\ntail\n", encoding="utf-8")
    assert load_xlsa17(root).semantics.attributes == ("fur", "wings", "tail")
    (root / "attributes.txt").write_text("fur\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"attributes\.txt: expected 3 names, one per line, got 1"):
        load_xlsa17(root)


def nested(value: np.ndarray) -> np.ndarray:
    outer = np.empty_like(value)
    for position in np.ndindex(value.shape):
        inner = np.empty((1, 1), dtype=object)
        inner[0, 0] = value[position]
        outer[position] = inner
    return outer


def test_nested_name_cells(root: Path) -> None:
    rewrite(root, allclasses_names=nested(cells(list("abcdef"))))
    assert load_xlsa17(root).semantics.classes == tuple("abcdef")


@pytest.mark.parametrize(
    ("file", "changes", "message"),
    [
        ("att_splits", {"att": None}, "att_splits.mat: expected a variable 'att', got allclasses_names"),
        (
            "att_splits",
            {"att": np.ones((3, 5)), "original_att": None},
            "expected 5 names in 'allclasses_names', as 'att' has, got 6",
        ),
        ("att_splits", {"allclasses_names": cells(["a"] * 6)}, "classes: expected unique names, got 'a'"),
        ("att_splits", {"trainval_loc": np.array([[0]])}, "expected indices from 1 in 'trainval_loc', got 0"),
        (
            "att_splits",
            {"test_unseen_loc": np.array([[25]])},
            r"split.test_unseen: expected indices in \[0, 24\), got 24",
        ),
        ("att_splits", {"att": np.eye(3, 6) + 0.1 * (np.arange(6) < 5)}, "got only 0 for 'f'"),
        ("res101", {"labels": None}, "res101.mat: expected a variable 'labels'"),
        (
            "res101",
            {"labels": np.full((24, 1), 7)},
            r"expected labels from 1 to 6, the classes of att_splits\.mat, got 7 to 7; take both",
        ),
        ("res101", {"labels": np.full((24, 1), 1.5)}, "res101.mat: expected whole numbers in 'labels', got 1.5"),
        ("res101", {"labels": np.full((24, 1), np.nan)}, "res101.mat: expected whole numbers in 'labels', got nan"),
        ("res101", {"labels": np.full((24, 1), -np.inf)}, "expected whole numbers in 'labels', got -inf"),
        ("res101", {"labels": np.full((24, 1), 1e300)}, r"expected whole numbers in 'labels', got 1e\+300"),
        (
            "res101",
            {"labels": np.array(["a"] * 24)},
            "res101.mat: expected whole numbers in 'labels', got text or cells",
        ),
        ("res101", {"labels": cells(["a"] * 24)}, "expected whole numbers in 'labels', got text or cells"),
        ("res101", {"labels": np.ones((24, 1), complex)}, "expected whole numbers in 'labels', got complex128"),
        ("res101", {"labels": np.empty((0, 0))}, "res101.mat: expected a label per image in 'labels', got none"),
        (
            "res101",
            {"labels": np.empty((0, 0)), "features": np.empty((5, 0)), "image_files": None},
            "res101.mat: expected a label per image in 'labels', got none",
        ),
        (
            "att_splits",
            {"val_loc": np.array([[np.nan]])},
            "att_splits.mat: expected whole numbers in 'val_loc', got nan",
        ),
        ("att_splits", {"trainval_loc": np.array(["x"])}, "expected whole numbers in 'trainval_loc', got text"),
        ("res101", {"features": np.ones((24, 5))}, "expected 'features' as dimensions × 24 images"),
        (
            "res101",
            {"features": np.full((5, 24), np.nan)},
            "inputs: expected finite features, got NaN or infinity in row 0",
        ),
        ("res101", {"labels": np.ones((24, 1))}, "image 5 lies in folder 'b' but its label means 'a'"),
    ],
)
def test_what_does_not_fit_is_named(root: Path, file: str, changes: dict[str, Any], message: str) -> None:
    rewrite(root, file, **changes)
    with pytest.raises(DataError, match=message):
        load_xlsa17(root)


@pytest.mark.parametrize("write", [savemat, save_hdf5])
def test_empty_arrays_are_empty(tmp_path: Path, write: Write) -> None:
    features, split = content()
    nothing = np.empty((0, 0))
    write(tmp_path / "att_splits.mat", split | {"train_loc": nothing, "val_loc": nothing})
    write(tmp_path / "res101.mat", features)
    assert not len(load_xlsa17(tmp_path).split.val)
    write(tmp_path / "res101.mat", features | {"labels": nothing})
    with pytest.raises(DataError, match=r"res101\.mat: expected a label per image in 'labels', got none"):
        load_xlsa17(tmp_path)


def test_sparse_matrices_are_read_like_full_ones(root: Path) -> None:
    full = load_xlsa17(root)
    features, split = content()
    rewrite(root, "res101", features=csc_array(features["features"]))
    rewrite(root, "att_splits", att=csc_array(split["att"]))
    sparse = load_xlsa17(root)
    assert isinstance(full.inputs, torch.Tensor)
    assert isinstance(sparse.inputs, torch.Tensor)
    assert torch.equal(sparse.inputs, full.inputs)
    assert torch.equal(sparse.semantics.values, full.semantics.values)


def test_what_overflows_is_refused_without_a_warning(root: Path) -> None:
    rewrite(root, "res101", features=np.full((5, 24), 1e300))
    with pytest.raises(DataError, match="inputs: expected finite features, got NaN or infinity in row 0"):
        load_xlsa17(root)


@pytest.mark.parametrize("write", [savemat, save_hdf5])
def test_missing_and_truncated_files(tmp_path: Path, write: Write) -> None:
    features, split = content()
    write(tmp_path / "att_splits.mat", split)
    with pytest.raises(DataError, match=r"res101\.mat: no such file"):
        load_xlsa17(tmp_path)
    write(tmp_path / "res101.mat", features)
    whole = (tmp_path / "res101.mat").read_bytes()
    for length in (0, 100, 600, len(whole) // 2, len(whole) - 9):
        (tmp_path / "res101.mat").write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"res101\.mat"):
            load_xlsa17(tmp_path)


@pytest.mark.parametrize(
    ("name", "classes", "attributes", "trainval"),
    [
        ("AWA1", 50, 85, 19832),
        ("AWA2", 50, 85, 23527),
        ("SUN", 717, 102, 10320),
        ("FLO", 102, 1024, 5631),
        ("CUB", 200, 1024, 7057),
    ],
)
def test_the_published_split_files(real_data: Path, name: str, classes: int, attributes: int, trainval: int) -> None:
    (path,) = (real_data / "xlsa17-splits" / name).glob("*.mat")
    parts = read_split_file(path)
    assert parts.semantics.values.shape == (classes, attributes)
    assert len(parts.split.trainval) == trainval
    for stage in (parts.split.train, parts.split.val):
        assert bool(torch.isin(stage, parts.split.trainval).all())
        assert len(stage)
    assert parts.semantics.classes[0] == {
        "AWA1": "antelope",
        "AWA2": "antelope",
        "SUN": "abbey",
        "CUB": "002.Laysan_Albatross",
    }.get(name, "class 1")


def test_real_features(real_data: Path) -> None:
    benchmark = load_xlsa17(real_data / "awa1-dev", features="bow")
    assert len(benchmark.labels) == 19832
    assert len(benchmark.seen_classes) == 27
    assert len(benchmark.unseen_classes) == 13
    assert benchmark.semantics.attributes[0] == "black"
