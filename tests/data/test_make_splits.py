import csv
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import loadmat, savemat

from rezsl.data import MadeSplits, load_image_folder, load_xlsa17, make_splits, read_split_file
from rezsl.errors import ArgumentError, DataError

CLASSES = tuple(f"class {letter}" for letter in "abcdefghij")
SIZES = (3, 5, 4, 2, 6, 3, 5, 2, 4, 3)  # objects of each class; object number n has n + 1 frames


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Ten classes of two to six objects, an eleventh with semantics only."""
    return write_folder(tmp_path / "own")


def write_folder(root: Path, backwards: bool = False) -> Path:
    root.mkdir()
    step = -1 if backwards else 1
    rows = [f"{name},{number % 2},{number / 10 + 0.1},3" for number, name in enumerate((*CLASSES, "unpictured"))]
    (root / "semantics.csv").write_text("\n".join(["class,fur,size of ears,legs", *rows]))
    for name, size in tuple(zip(CLASSES, SIZES, strict=True))[::step]:
        (root / "images" / name).mkdir(parents=True)
        for thing in range(size)[::step]:
            for frame in range(thing + 1)[::step]:
                Image.new("L", (4, 4)).save(root / "images" / name / f"{thing}_{frame}.png")
    return root


def lines(root: Path) -> list[dict[str, str]]:
    with (root / "splits.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("seed", range(6))
def test_the_rule(root: Path, seed: int) -> None:
    made = make_splits(root, unseen=0.3, validation=0.25, test_seen_share=0.25, seed=seed, group_pattern=r"^(\d)_")
    rows = lines(root)
    assert len({row["file"] for row in rows}) == len(rows) == sum(size * (size + 1) // 2 for size in SIZES)
    by_class: dict[str, Counter[str]] = defaultdict(Counter)
    sides: dict[str, set[bool]] = defaultdict(set)
    for row in rows:
        assert (root / row["file"]).is_file()
        assert row["file"].split("/")[1] == row["class"]
        by_class[row["class"]][row["split"]] += 1
        sides[row["group"]].add(row["split"].startswith("test"))
    assert all(len(side) == 1 for side in sides.values())
    unseen = {name for name, found in by_class.items() if set(found) == {"test_unseen"}}
    validation = {name for name, found in by_class.items() if set(found) == {"val", "test_seen"}}
    train = {name for name, found in by_class.items() if set(found) == {"train", "test_seen"}}
    assert (len(unseen), len(validation), len(train)) == (3, 2, 5)  # of ten; a quarter of seven
    assert (set(made.roles.unseen), set(made.roles.validation), set(made.roles.train)) == (unseen, validation, train)
    for name in train | validation:
        frames = sum(by_class[name].values())
        # Objects are held out whole, so the share is met to half of the largest one.
        assert abs(by_class[name]["test_seen"] - frames / 4) <= SIZES[CLASSES.index(name)] / 2
    assert made.roles.undepicted == ("unpictured",)
    assert made.notes == ("classes without images are unseen, and cannot be tested: 'unpictured'",)
    assert made.counts == dict(Counter(row["split"] for row in rows))


def test_single_images_meet_the_share_exactly_and_a_class_of_one_image_is_trained_on(root: Path) -> None:
    (root / "images" / CLASSES[0] / "lone.png").write_bytes(b"")
    for file in (root / "images" / CLASSES[0]).glob("*_*.png"):
        file.unlink()
    made = make_splits(root, unseen=[CLASSES[1]], validation=0.0, test_seen_share=0.2)
    held_out = Counter(row.class_name for row in made.rows if row.split == "test_seen")
    frames = {name: size * (size + 1) // 2 for name, size in zip(CLASSES, SIZES, strict=True)}
    assert held_out == {name: max(1, round(0.2 * frames[name])) for name in CLASSES[2:]}
    assert f"trained on and have no test_seen images: '{CLASSES[0]}'" in made.notes[0]
    assert make_splits(root, test_seen_share=0.0, overwrite=True).counts["test_seen"] == 0


def test_an_object_with_very_many_frames_stays_in_training(root: Path) -> None:
    for number in range(90):
        Image.new("L", (4, 4)).save(root / "images" / CLASSES[0] / f"many_{number}.png")
    for seed in range(8):
        made = make_splits(root, [CLASSES[1]], 0.0, 0.2, seed, group_pattern="^([^_]+)_", overwrite=True)
        held_out = {row.group for row in made.rows if row.split == "test_seen"}
        assert f"{CLASSES[0]}/many" not in held_out
        assert f"{CLASSES[0]}/0" in held_out


def test_the_seed_decides_and_the_file_system_does_not(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def written(folder: Path, seed: int) -> list[bytes]:
        made = make_splits(folder, seed=seed, mat=True, overwrite=True)
        return [path.read_bytes() for path in made.written]

    first, again, other = (written(root, seed) for seed in (3, 3, 4))
    assert first == again
    assert first[0] != other[0]
    listed, found = Path.iterdir, Path.rglob

    def backwards(folder: Path) -> Iterator[Path]:
        return iter(sorted(listed(folder), reverse=True))

    def backwards_below(folder: Path, pattern: str) -> Iterator[Path]:
        return iter(sorted(found(folder, pattern), reverse=True))

    monkeypatch.setattr(Path, "iterdir", backwards)
    monkeypatch.setattr(Path, "rglob", backwards_below)
    assert written(write_folder(tmp_path / "later", backwards=True), seed=3) == first


def test_round_trips(root: Path) -> None:
    made = make_splits(root, unseen=[CLASSES[8], CLASSES[2]], validation=[CLASSES[4]], group_pattern=r"^\d", mat=True)
    own = load_image_folder(root)
    assert own.unseen_classes == (CLASSES[2], CLASSES[8]) == made.roles.unseen
    assert own.class_names(own.split.val) == (CLASSES[4],)
    assert own.class_names(own.split.train) == made.roles.train
    assert own.groups is not None
    assert len(own.groups.unique()) == sum(SIZES)
    file = read_split_file(root / "xlsa17" / "att_splits.mat")
    assert file.notes == ()
    assert (file.semantics.classes, file.semantics.attributes) == (own.semantics.classes, own.semantics.attributes)
    torch.testing.assert_close(file.semantics.values, torch.nn.functional.normalize(own.semantics.values))
    for name, index in own.split.parts().items():
        assert torch.equal(file.split.parts()[name], index), name
    # With a column of features per image, the folder is an xlsa17 directory.
    order = loadmat(root / "xlsa17" / "image_files.mat")
    names = {name: order[name] for name in ("image_files", "labels")}
    savemat(root / "xlsa17" / "res101.mat", {"features": np.arange(2.0 * len(own.labels)).reshape(2, -1), **names})
    features = load_xlsa17(root / "xlsa17")
    assert torch.equal(features.labels, own.labels)
    assert features.unseen_classes == own.unseen_classes
    assert [cell.item() for cell in order["image_files"].ravel()] == [row["file"] for row in lines(root)]


def test_the_split_file_is_as_the_field_knows_it(root: Path) -> None:
    made = make_splits(root, mat=True)
    content = loadmat(root / "xlsa17" / "att_splits.mat")
    assert content["att"].shape == content["original_att"].shape == (3, 11)
    np.testing.assert_allclose((content["att"] ** 2).sum(0), 1)
    parts = {name.removesuffix("_loc"): content[name] for name in content if name.endswith("_loc")}
    assert all(part.shape[1] == 1 and part.min() >= 1 for part in parts.values())
    numbers = {name: set(part.ravel().astype(int)) for name, part in parts.items()}
    assert numbers["train"] | numbers["val"] == numbers["trainval"]
    assert not numbers["train"] & numbers["val"]
    assert set().union(*(numbers[name] for name in ("trainval", "test_seen", "test_unseen"))) == set(
        range(1, len(made.rows) + 1)
    )
    for left, right in pairwise(("trainval", "test_seen", "test_unseen", "trainval")):
        assert not numbers[left] & numbers[right]


def test_a_table_with_minus_one_has_no_original_att(root: Path) -> None:
    text = (root / "semantics.csv").read_text()
    (root / "semantics.csv").write_text(text.replace("class a,0", "class a,-1"))
    made = make_splits(root, validation=0.0, mat=True)
    assert "att_splits.mat is without original_att: there -1 means unknown" in made.notes[-1]
    file = read_split_file(root / "xlsa17" / "att_splits.mat")
    torch.testing.assert_close(
        file.semantics.values, torch.nn.functional.normalize(load_image_folder(root).semantics.values)
    )
    assert len(file.split.val) == len(file.split.train) == 0


def test_classes_without_images_alone_can_be_the_unseen(root: Path) -> None:
    made = make_splits(root, unseen=0.0)
    assert made.counts["test_unseen"] == 0
    assert load_image_folder(root).unseen_classes == ()
    (root / "semantics.csv").write_text("\n".join((root / "semantics.csv").read_text().splitlines()[:-1]))
    with pytest.raises(ArgumentError, match="unseen: every class has images and none is left out of training"):
        make_splits(root, unseen=0.0, overwrite=True)


def test_nothing_is_overwritten_unasked(root: Path) -> None:
    make_splits(root, mat=True)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    with pytest.raises(DataError, match=r"splits\.csv: exists, and experiments may rest on it; move it away"):
        make_splits(root, seed=1)
    (root / "splits.csv").unlink()
    with pytest.raises(DataError, match=r"att_splits\.mat: exists"):
        make_splits(root, seed=1, mat=True)
    assert not (root / "splits.csv").exists()
    made = make_splits(root, seed=1, overwrite=True)
    assert "att_splits.mat is of an earlier call" in made.notes[-1]
    after = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert {path for path in before if before[path] != after[path]} == {root / "splits.csv"}


def test_groups_from_a_table(root: Path) -> None:
    table = root.parent / "groups.csv"
    table.write_text(
        "file,group\nimages/class a/2_0.png,x\n./images/class a/2_1.png,x\nimages/class b/0_0.png,\nold.png,y"
    )
    made = make_splits(root, unseen=["class c"], groups=table)
    assert {row.file: row.group for row in made.rows if row.group} == {
        "images/class a/2_0.png": "x",
        "images/class a/2_1.png": "x",
    }
    count = len(made.rows) - 3
    assert made.notes[0].startswith(f"{count} images are not in groups.csv and have no group: 'images/class a/0_0.png'")
    assert made.notes[1] == "1 files in groups.csv are no images of the folder: 'old.png'"
    # What was written is a table of groups itself.
    assert make_splits(root, groups=root / "splits.csv", overwrite=True, unseen=["class c"]).rows == made.rows


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,object\na,b", r"groups\.csv: expected the columns file, group, got file, object"),
        ("file,group\n0_0.png,x", r"lists none of the 95 images; expected files such as 'images/class a/0_0\.png'"),
        ("file,group\nimages/class a/0_0.png", "line 2: expected 2 cells, got 1; correct the file"),
        ("file,group\nimages/class a/0_0.png,x\nimages/class a/0_0.png,y", "line 3: .* is listed more than once"),
        (
            "file,group\nimages/class a/0_0.png,x\nimages/class b/0_0.png,x",
            "group 'x' has images of 'class a', 'class b'; a group is one object, so of one class",
        ),
    ],
)
def test_tables_of_groups_that_do_not_fit(root: Path, text: str, message: str) -> None:
    (root / "groups.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        make_splits(root, groups=root / "groups.csv")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unseen": 1.0}, "unseen: expected a share of at least 0 and below 1, or class names, got 1.0"),
        ({"unseen": ["yak"]}, "unseen: no class is called 'yak'; expected names of semantics.csv, or a share below 1"),
        ({"unseen": ["unpictured"]}, "unseen: expected classes with images, got 'unpictured'; without them they are"),
        ({"unseen": ["class a"], "validation": ["class a"]}, "validation: expected classes that are not unseen, got 'class a'"),
        ({"unseen": list(CLASSES[:9]), "validation": [CLASSES[9]]}, "expected at least one class to be left for training"),
        ({"unseen": list(CLASSES[:8])}, "validation: expected at least 3 classes to draw from, .* got 2; name the classes"),
        ({"test_seen_share": 1.0}, "test_seen_share: expected a number in \\[0, 1\\), got 1.0"),
        ({"seed": -1}, "seed: expected a whole number of at least 0"),
        ({"group_pattern": "("}, r"group_pattern: expected a regular expression, got '\('"),
        ({"group_pattern": "sign"}, "group_pattern: 'sign' is found in none of the file names, such as '0_0.png'"),
        ({"group_pattern": "a", "groups": "b"}, "groups, group_pattern: expected one of them, got both"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_and_nothing_is_written(
    root: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        make_splits(root, **options)  # type: ignore[arg-type] # a row of the table above
    assert not (root / "splits.csv").exists()


def test_folders_that_do_not_fit(root: Path) -> None:
    (root / "images" / "yak").mkdir()
    with pytest.raises(DataError, match="class folders without a single image: 'yak'; add some, or remove the folder"):
        make_splits(root)
    Image.new("L", (4, 4)).save(root / "images" / "yak" / "1.png")
    with pytest.raises(DataError, match=r"semantics\.csv: classes: expected rows for 'yak', got none"):
        make_splits(root)
    os.rename(root / "images", root / "pictures")
    with pytest.raises(DataError, match="images: no such folder; expected images/<class>/<image files>"):
        make_splits(root)


def test_real_photos_of_signs(real_data: Path, tmp_path: Path) -> None:
    for name in ("images", "semantics.csv"):
        (tmp_path / name).symlink_to(real_data / "gtsrb-dev" / name)
    made: MadeSplits = make_splits(tmp_path, groups=real_data / "gtsrb-dev" / "splits.csv")
    assert made.notes == ()
    assert load_image_folder(tmp_path).unseen_classes == made.roles.unseen
    tested, all_images = (
        Counter(row.class_name for row in made.rows if row.class_name not in made.roles.unseen and of(row.split))
        for of in (lambda split: split == "test_seen", lambda split: True)
    )
    assert all(0.15 < tested[name] / all_images[name] < 0.25 for name in all_images)
