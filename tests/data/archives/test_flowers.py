from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from rezsl.data import load_flowers
from rezsl.errors import DataError
from tests.data.archives.writing import proposed

FILES = [f"/x/flowers/jpg/image_{number:05d}.jpg" for number in range(1, 21)]


def test_semantics_come_from_the_split_file_in_the_archives_order_of_classes(flowers: Path, tmp_path: Path) -> None:
    rows = np.random.default_rng(0).permutation(20).tolist()
    renumbered = [2, 0, 1, 4, 3]
    labels = [renumbered[row % 5] for row in rows]
    splits = proposed(tmp_path / "FLO", [FILES[row] for row in rows], labels, None, unseen=[0])
    benchmark = load_flowers(flowers, splits)
    assert benchmark.semantics.classes == tuple(f"class {number}" for number in range(1, 6))
    table = loadmat(splits / "att_splits.mat")["att"].T
    np.testing.assert_allclose(benchmark.semantics.values.numpy(), table[renumbered], rtol=1e-6)
    assert benchmark.unseen_classes == ("class 2",)  # the split file's first
    assert benchmark.labels.tolist() == [row % 5 for row in range(20)]


def test_labels_that_mix_classes_are_refused(flowers: Path, tmp_path: Path) -> None:
    labels = [row % 5 for row in range(20)]
    labels[3] = 0
    with pytest.raises(
        DataError,
        match=r"res101\.mat: expected its labels to be those of imagelabels\.mat, one to one, for 5 classes, got 6 pairs: '1 is 4'",
    ):
        load_flowers(flowers, proposed(tmp_path / "s", FILES, labels, None, unseen=[4]))


def test_without_a_split_file_there_are_no_semantics(flowers: Path) -> None:
    with pytest.raises(
        DataError,
        match=r"flowers: expected a split file with class semantics \(the archive has none\), found none; set splits",
    ):
        load_flowers(flowers)
    (flowers / "jpg" / "image_00007.jpg").unlink()
    with pytest.raises(DataError, match=r"1 of 20 images do not exist: 'jpg/image_00007\.jpg'"):
        load_flowers(flowers)
    savemat(flowers / "imagelabels.mat", {"labels": np.array([[1, 3]])})
    with pytest.raises(DataError, match=r"imagelabels\.mat: expected classes from 1 on, each with an image"):
        load_flowers(flowers)
