from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from rezsl.data import load_sun
from rezsl.data.sun import sun_groups
from rezsl.errors import DataError
from tests.data.archives.writing import SCENE_ATTRIBUTES, SCENES, cells, proposed, scene_files

NAMES = ("abbey", "access_road", "church_indoor", "church_outdoor", "lean-to", "theater_indoor_procenium")


def test_classes_are_spelt_as_in_the_split_file_and_described_by_their_images(scenes: Path) -> None:
    benchmark = load_sun(scenes)
    assert benchmark.semantics.classes == NAMES
    votes = loadmat(scenes / "attributeLabels_continuous.mat")["labels_cv"]
    expected = [votes[4 * row : 4 * row + 4].mean(axis=0) for row in range(len(SCENES))]
    np.testing.assert_allclose(benchmark.semantics.values.numpy(), expected, rtol=1e-6)
    assert benchmark.semantics.groups == (
        "functions and affordances", "materials", "materials", "surface properties", "spatial envelope", "spatial envelope",
    )  # fmt: skip
    ninth = benchmark.inputs[8]
    assert isinstance(ninth, Path)
    assert ninth.samefile(scenes.parent / "images" / "c" / "church" / "indoor" / "sun_a2.jpg")
    assert sun_groups(["trees", "natural"]) is None


def test_images_of_one_name_in_several_scenes_are_told_apart_by_their_folders(scenes: Path, tmp_path: Path) -> None:
    files = scene_files()
    files[8], files[12] = "c/church/indoor/sun_same.jpg", "c/church/outdoor/sun_same.jpg"
    for old, new in zip(scene_files(), files, strict=True):
        (tmp_path / "images" / old).rename(tmp_path / "images" / new)
    savemat(scenes / "images.mat", {"images": cells(files)})
    listed = [f"/BS/x/SUN/images/{file}" for file in reversed(files)]
    labels = [5 - row // 4 for row in range(24)]
    splits = proposed(tmp_path / "s", listed, labels, NAMES, unseen=[3])
    benchmark = load_sun(tmp_path, splits)
    assert benchmark.unseen_classes == ("church_outdoor",)
    assert sorted(benchmark.split.test_unseen.tolist()) == [12, 13, 14, 15]
    bare = [file.rsplit("/", 1)[1] for file in listed]
    with pytest.raises(DataError, match=r"24 of 24 rows have no image left"):
        load_sun(tmp_path, proposed(tmp_path / "s", bare, labels, NAMES, unseen=[3]))


def test_files_that_do_not_fit_are_named(scenes: Path) -> None:
    savemat(scenes / "attributeLabels_continuous.mat", {"labels_cv": np.ones((3, 6))})
    with pytest.raises(DataError, match=r"expected 'labels_cv' as 24 images × 6 attributes, got shape \(3, 6\)"):
        load_sun(scenes)
    savemat(scenes / "images.mat", {"images": cells(["abbey.jpg", "a/abbey/sun_a0.jpg"])})
    with pytest.raises(
        DataError, match=r"images\.mat: expected paths <letter>/<class>/<file>, got 1 others: 'abbey\.jpg'"
    ):
        load_sun(scenes)
    savemat(scenes / "attributes.mat", {"names": cells(SCENE_ATTRIBUTES)})
    with pytest.raises(DataError, match=r"attributes\.mat: expected a variable 'attributes', got names"):
        load_sun(scenes)
    (scenes / "images.mat").unlink()
    (scenes / "images.mat").write_bytes(b"MATLAB 5.0 MAT-file")
    with pytest.raises(DataError, match=r"expected a variable 'attributes'|expected a MATLAB file, got a damaged file"):
        load_sun(scenes)
