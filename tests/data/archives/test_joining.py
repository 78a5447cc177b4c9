from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from rezsl.data import load_cub
from rezsl.data._archive import Totals
from rezsl.data.awa2 import AWA2
from rezsl.data.cub import CUB
from rezsl.data.flowers import FLO
from rezsl.data.sun import SUN, scene_class
from rezsl.data.xlsa17 import AWA1
from rezsl.errors import DataError
from tests.data.archives.writing import BIRDS, SCENES, bird_files, cells, one_based, proposed

ORDER = [3, 0, 4, 2, 1]
"""Class of every label of the split file: CUB's order of classes is not everybody's."""


def elsewhere(files: list[str]) -> list[str]:
    return [f"/BS/someone/data/CUB_200_2011/CUB_200_2011/images/{file}" for file in files]


def shuffled() -> tuple[list[str], list[int]]:
    """The birds' images and labels as a feature file that has them in another order, with classes renumbered."""
    rows = np.random.default_rng(3).permutation(20).tolist()
    files = bird_files()
    return [files[row] for row in rows], [ORDER.index(row // 4) for row in rows]


def test_images_are_joined_by_path_and_classes_by_name_whatever_the_order(birds: Path, tmp_path: Path) -> None:
    files, labels = shuffled()
    names = [BIRDS[row] for row in ORDER]
    splits = proposed(tmp_path / "xlsa17" / "data" / "CUB", elsewhere(files), labels, names, unseen=[1, 2])
    for given in (splits, splits / "att_splits.mat", None):  # None: found where xlsa17.zip puts it beside the archive
        benchmark = load_cub(birds, given)
        assert benchmark.unseen_classes == (BIRDS[0], BIRDS[4])
        listed = loadmat(splits / "att_splits.mat")
        for part in ("trainval", "test_seen", "test_unseen"):
            expected = [files[row - 1] for row in listed[f"{part}_loc"].ravel()]
            index = benchmark.split.parts()[part].tolist()
            assert [f"{benchmark.inputs[i].parent.name}/{benchmark.inputs[i].name}" for i in index] == expected  # type: ignore[union-attr] # paths
        assert any("proposed split of" in note and "att_splits.mat" in note for note in benchmark.notes)


def test_the_feature_file_may_have_another_name_and_its_features_are_not_read(birds: Path, tmp_path: Path) -> None:
    splits = proposed(tmp_path / "s", bird_files(), [row // 4 for row in range(20)], BIRDS, unseen=[4])
    (splits / "res101.mat").rename(splits / "vit.mat")
    savemat(splits / "a_table.mat", {"labels": np.ones(3)})  # no list of images
    (splits / "att_splits.mat").rename(splits / "sent_splits.mat")
    assert load_cub(birds, splits).unseen_classes == (BIRDS[4],)
    (splits / "vit.mat").unlink()
    with pytest.raises(
        DataError,
        match=r"expected res101\.mat or another feature file with 'image_files' and 'labels' beside sent_splits\.mat.*download xlsa17\.zip",
    ):
        load_cub(birds, splits)


def test_what_cannot_be_joined_is_counted_and_named(birds: Path, tmp_path: Path) -> None:
    files, labels = bird_files(), [row // 4 for row in range(20)]

    def load(image_files: list[str], of_row: list[int], names: list[str], **changes: object) -> None:
        load_cub(birds, proposed(tmp_path / "s", image_files, of_row, names, [4], **changes))

    load(elsewhere(files), labels, list(BIRDS))
    renamed = [*files[:17], "x/1.jpg", "x/2.jpg", files[19]]
    with pytest.raises(
        DataError, match=r"res101\.mat: 2 of 20 rows have no image left of .*CUB_200_2011: 'x/1\.jpg', 'x/2\.jpg'"
    ):
        load(renamed, labels, list(BIRDS))
    with pytest.raises(
        DataError, match=r"1 of 20 rows have no image left of .*: '001\.Black_footed_Albatross/Black_foot"
    ):
        load([files[0], *files[:19]], [0, *labels[:19]], list(BIRDS))
    with pytest.raises(
        DataError,
        match=r"res101\.mat: expected the images of the archive; 3 only in .*CUB_200_2011: 'images/197\.Marsh_Wren/Marsh_Wren_0001_400\.jpg'",
    ):
        load(files[:17], labels[:17], list(BIRDS))
    with pytest.raises(
        DataError,
        match=r"att_splits\.mat: expected the classes of the archive; 1 only in the file: '062\.Herring_Gull'; 1 only in .*: '061\.Heermann_Gull'",
    ):
        load(files, labels, [*BIRDS[:2], "062.Herring_Gull", *BIRDS[3:]])
    with pytest.raises(
        DataError,
        match=r"res101\.mat: 8 labels, read with the names in att_splits\.mat, contradict the archive: '001\.Black\S+ is 002",
    ):
        load(files, labels, [BIRDS[1], BIRDS[0], *BIRDS[2:]])
    with pytest.raises(DataError, match=r"att_splits\.mat: lists image 21, but res101\.mat has 20"):
        load(files, labels, list(BIRDS), test_unseen_loc=one_based([16, 20]))
    with pytest.raises(
        DataError, match=r"res101\.mat: expected one label per image, got 20 in 'image_files' and 3 in 'labels'"
    ):
        load(files, labels, list(BIRDS), labels=one_based([0, 1, 2]))
    with pytest.raises(
        DataError, match=r"res101\.mat: expected labels from 1 to 4, the classes of att_splits\.mat, got 1 to 5"
    ):
        load(files, labels, list(BIRDS), att=np.ones((7, 4)), allclasses_names=cells(BIRDS[:4]))
    whole = (tmp_path / "s" / "res101.mat").read_bytes()
    (tmp_path / "s" / "res101.mat").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        DataError,
        match=r"res101\.mat: .*expected a MATLAB file.*; perhaps it was cut short in copying",
    ):
        load_cub(birds, tmp_path / "s")
    (tmp_path / "s" / "res101.mat").write_bytes(whole[:200])
    with pytest.raises(
        DataError, match=r"beside att_splits\.mat, whose .* got only res101\.mat without them, perhaps cut short"
    ):
        load_cub(birds, tmp_path / "s")
    with pytest.raises(DataError, match=r"none: no such file"):
        load_cub(birds, tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        DataError, match=r"empty: expected att_splits\.mat, got none; name the split file, or download xlsa17"
    ):
        load_cub(birds, tmp_path / "empty")


@pytest.mark.parametrize(
    ("folder", "known"),
    [("AWA1", AWA1), ("AWA2", AWA2.totals), ("SUN", SUN.totals), ("FLO", FLO.totals), ("CUB", CUB.totals)],
)
def test_known_totals_are_those_of_the_real_split_files(real_data: Path, folder: str, known: Totals) -> None:
    path = real_data / "xlsa17-splits" / folder / ("sent_splits.mat" if folder == "CUB" else "att_splits.mat")
    file = loadmat(path)
    parts = [set(file[f"{name}_loc"].ravel().tolist()) for name in ("trainval", "test_seen", "test_unseen")]
    assert len(set.union(*parts)) == known.images
    assert file["att"].shape[1] == known.classes
    assert folder == "CUB" or file["att"].shape[0] == known.attributes
    if folder != "FLO":
        names = [str(name[0]) for name in file["allclasses_names"].ravel()]
        assert len(set(names)) == known.classes
        assert not set(BIRDS if folder == "CUB" else ()) - set(names)
        assert folder != "SUN" or {scene_class(f"{scene}/x.jpg") for scene in SCENES} <= set(names)
