from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat

from rezsl.data import load_awa2
from rezsl.data.awa2 import GROUP_OF, awa_groups
from rezsl.errors import ArgumentError, DataError
from tests.data.archives.writing import ANIMALS, image, numbered, proposed, text


def test_unknown_values_take_the_mean_of_the_other_classes_or_stay(animals: Path) -> None:
    percent = np.loadtxt(animals / "predicate-matrix-continuous.txt")
    kept = load_awa2(animals, missing="keep")
    np.testing.assert_allclose(kept.semantics.values.numpy(), percent / 100, rtol=1e-6)
    filled = load_awa2(animals)
    percent[[0, 3], 1] = percent[[1, 2, 4], 1].mean()
    np.testing.assert_allclose(filled.semantics.values.numpy(), percent / 100, rtol=1e-6)
    assert "2 unknown class semantics (-1) took the mean of their attribute" in filled.notes
    assert filled.semantics.groups == ("colour", "surface", "body parts", "body parts", "habitat")


@pytest.mark.usefixtures("unchecked")
def test_an_unknown_treatment_of_unknown_values_is_refused(animals: Path) -> None:
    with pytest.raises(ArgumentError, match=r"missing: expected one of mean, keep, got 'zero'"):
        load_awa2(animals, missing="zero")  # type: ignore[arg-type]


def test_the_proposed_split_is_joined(animals: Path, tmp_path: Path) -> None:
    files = [
        f"/x/Animals_with_Attributes2//JPEGImages/{name}/{name}_{10001 + n}.jpg" for name in ANIMALS for n in range(4)
    ]
    splits = proposed(tmp_path / "s", files[::-1], [4 - row // 4 for row in range(20)], ANIMALS, unseen=[0, 3])
    benchmark = load_awa2(animals, splits)
    assert benchmark.unseen_classes == ("antelope", "beaver")
    (animals / "JPEGImages" / "beaver" / "beaver_10002.jpg").unlink()
    with pytest.raises(DataError, match=r"1 of 20 rows have no image left of .*beaver/beaver_10002\.jpg"):
        load_awa2(animals, splits)
    for file in (animals / "JPEGImages" / "beaver").iterdir():
        file.unlink()
    with pytest.raises(DataError, match=r"folder of images for each of 5 classes, 1 have none: 'beaver'; unpack"):
        load_awa2(animals, splits)


def test_the_85_attributes_fall_into_nine_groups(real_data: Path) -> None:
    names = (real_data / "awa1-dev" / "attributes.txt").read_text().split()
    groups = awa_groups(names)
    assert groups is not None
    assert len(set(groups)) == 9
    assert set(names) == set(GROUP_OF)
    assert awa_groups([*names, "purple"]) is None


def test_the_real_table_gives_the_directions_of_the_real_split_file(real_data: Path, tmp_path: Path) -> None:
    file = loadmat(real_data / "xlsa17-splits" / "AWA2" / "att_splits.mat")
    names = [str(name[0]) for name in file["allclasses_names"].ravel()]
    numbered(tmp_path / "classes.txt", names)
    numbered(tmp_path / "predicates.txt", (real_data / "awa1-dev" / "attributes.txt").read_text().split())
    text(tmp_path / "predicate-matrix-continuous.txt", *(" ".join(map(str, row)) for row in file["original_att"].T))
    for name in names:
        for number in range(2):
            image(tmp_path / "JPEGImages" / name / f"{name}_{number}.jpg")
    values = load_awa2(tmp_path, missing="keep").semantics.values.double().numpy()
    np.testing.assert_allclose(values / np.linalg.norm(values, axis=1, keepdims=True), file["att"].T, atol=1e-6)
