import csv
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image
from torch import Tensor

from rezsl.data import Benchmark, check_directory, load_image_folder, make_splits
from rezsl.errors import DataError

CLASSES = ("cat", "dog", "owl", "bat", "fox")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Five classes with ten images each, described by three attributes."""
    lines = ["class,fur,wings,bark", "cat,1,0,0", "dog,1,0,1", "owl,0,1,0", "bat,1,1,0", "fox,1,0,0.5"]
    (tmp_path / "semantics.csv").write_text("\n".join(lines))
    for name in CLASSES:
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(10):
            Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / "images" / name / f"{number}.png")
    return tmp_path


def write_splits(root: Path, rows: Sequence[tuple[str, ...]], header: str = "file,class,group,split") -> None:
    with (root / "splits.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([header.split(","), *rows])


def test_without_splits_some_classes_play_the_unseen(root: Path) -> None:
    benchmark = load_image_folder(root)
    assert len(benchmark.unseen_classes) == 1
    assert len(benchmark.seen_classes) == 4
    assert len(benchmark.split.test_seen) == 8  # a fifth of each seen class
    assert "taken as unseen" in benchmark.notes[0]
    assert load_image_folder(root, seed=0).unseen_classes == benchmark.unseen_classes
    assert {load_image_folder(root, seed=seed).unseen_classes for seed in range(8)} > {benchmark.unseen_classes}


@pytest.mark.parametrize("seed", range(4))
def test_make_splits_draws_the_same_classes_and_images(root: Path, seed: int) -> None:
    drawn = load_image_folder(root, unseen_share=0.4, seed=seed)
    assert "rezsl data make-splits takes the same for the same seed" in drawn.notes[0]
    made = make_splits(root, unseen=0.4, seed=seed)
    written = load_image_folder(root)
    assert drawn.unseen_classes == written.unseen_classes == made.roles.unseen
    assert len(drawn.unseen_classes) == 2

    def files(benchmark: Benchmark, index: Tensor) -> set[str]:
        return {str(benchmark.inputs[position]) for position in index.tolist()}

    for part in ("trainval", "test_seen", "test_unseen"):
        assert files(drawn, getattr(drawn.split, part)) == files(written, getattr(written.split, part))
    # Validation classes are written down by make-splits alone, as the note says.
    assert (len(drawn.split.val), made.roles.validation != ()) == (0, True)


def test_classes_without_images_are_the_unseen(root: Path) -> None:
    shutil.rmtree(root / "images" / "owl")
    benchmark = load_image_folder(root)
    assert "owl" in benchmark.semantics.classes
    assert "owl" not in benchmark.seen_classes
    assert len(benchmark.split.trainval) == 40
    assert "one class without images is unseen" in benchmark.notes[0]


def test_splits_and_groups(root: Path) -> None:
    rows = [
        (f"images/{name}/{i}.png", name, f"{name}{i // 5}", "train" if i < 5 else "test_seen")
        for name in CLASSES[:3]
        for i in range(10)
    ]
    rows += [(f"images/bat/{i}.png", "bat", "b", "val") for i in range(10)]
    rows += [(f"images/fox/{i}.png", "fox", "f", "test_unseen") for i in range(10)]
    write_splits(root, rows)
    benchmark = load_image_folder(root)
    assert [len(part) for part in benchmark.split.parts().values()] == [25, 15, 10, 15, 10]
    assert benchmark.unseen_classes == ("fox",)
    assert benchmark.class_names(benchmark.split.val) == ("bat",)
    assert benchmark.groups is not None
    assert len(benchmark.groups.unique()) == 8


def test_a_folder_may_say_where_attributes_are_seen(root: Path) -> None:
    semantics = load_image_folder(root).semantics
    assert semantics.places is None
    text = f"attribute,y,x,spread\n{semantics.attributes[1]},0.5,0.25,0.2\n"
    (root / "places.csv").write_text(text, encoding="utf-8")
    places = load_image_folder(root).semantics.places
    assert places is not None
    assert places[1].tolist() == pytest.approx([0.5, 0.25, 0.2])
    assert places[0].tolist() == [0.5, 0.5, float("inf")]


def test_images_without_semantics_are_named(root: Path) -> None:
    (root / "images" / "yak").mkdir()
    Image.new("L", (8, 8)).save(root / "images" / "yak" / "1.png")
    with pytest.raises(DataError, match=r"semantics\.csv: classes: expected rows for 'yak', got none"):
        load_image_folder(root)


def test_an_empty_class_is_named(root: Path) -> None:
    (root / "images" / "yak").mkdir()
    with pytest.raises(DataError, match=r"class folders without a single image: 'yak'; add some"):
        load_image_folder(root)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [("images/cat/0.png", "cat", "g", "test")],
            "line 2: expected a split of train, val, test_seen, test_unseen, got 'test'",
        ),
        ([("images/cat/99.png", "cat", "g", "train")], "1 listed files do not exist: 'images/cat/99.png'"),
        (
            [("images/cat/0.png", "cat", "g", "train"), ("images/cat/1.png", "cat", "g", "test_seen")],
            "groups with images in training and in test: 'g'",
        ),
        ([("images/cat/0.png", "yak", "g", "train")], "expected rows for 'yak', got none"),
        ([("images/cat/0.png", "cat", "g")], "line 2: expected 4 cells, got 3"),
        (
            [("images/cat/0.png", "cat", "g", "train"), ("images/dog/../cat/0.png", "cat", "h", "test_seen")],
            "files listed more than once: '.*images/cat/0.png'",
        ),
        ([("images/cat/0.png", "cat", "g", "test_unseen")], "split.trainval: expected at least one training image"),
    ],
)
def test_bad_splits_are_named(root: Path, rows: list[tuple[str, ...]], message: str) -> None:
    write_splits(root, rows)
    with pytest.raises(DataError, match=message):
        load_image_folder(root)


@pytest.mark.parametrize(("row", "message"), [("x.png,cat,test", "expected a split of"), ("x.png", "expected 3 cells")])
def test_the_line_named_is_the_file_s_own(root: Path, row: str, message: str) -> None:
    lines = [
        "",
        "file,class,split",
        "",
        "images/cat/0.png,cat,train",
        ",,",
        '"images/cat/\r\n1.png",cat,train',
        row,
        "",
    ]
    (root / "splits.csv").write_bytes("\r\n".join(lines).encode())
    with pytest.raises(DataError, match=rf"splits\.csv, line 8: {message}"):
        load_image_folder(root)


def test_a_splits_file_without_its_columns(root: Path) -> None:
    write_splits(root, [("images/cat/0.png", "train")], header="file,split")
    with pytest.raises(DataError, match="expected the columns file, class, split, got file, split"):
        load_image_folder(root)


def test_a_splits_file_that_cannot_be_read_is_not_passed_over(root: Path) -> None:
    (root / "splits.csv").mkdir()
    with pytest.raises(DataError, match=r"splits\.csv: expected comma-separated text, got a folder; name a file"):
        load_image_folder(root)


def test_an_image_without_a_group_stands_alone(root: Path) -> None:
    rows = [
        (f"images/{name}/{i}.png", name, "", "train" if i else "test_seen") for name in CLASSES[:3] for i in range(4)
    ]
    write_splits(root, [*rows, ("images/fox/0.png", "fox", "", "test_unseen")])
    groups = load_image_folder(root).groups
    assert groups is not None
    assert len(groups.unique()) == 13


def test_hidden_files_are_no_images(root: Path) -> None:
    (root / "images" / "cat" / "._0.png").write_bytes(b"resource fork")
    (root / "images" / "cat" / ".ipynb_checkpoints").mkdir()
    shutil.copy(root / "images" / "cat" / "0.png", root / "images" / "cat" / ".ipynb_checkpoints" / "0-checkpoint.png")
    assert len(load_image_folder(root).labels) == 50


def test_no_images_folder(tmp_path: Path) -> None:
    (tmp_path / "semantics.csv").write_text("class,fur\ncat,1\ndog,1\n")
    with pytest.raises(DataError, match=r"images: no such folder; expected images/<class>/<image files>"):
        load_image_folder(tmp_path)


def test_real_photographs(real_data: Path) -> None:
    benchmark = load_image_folder(real_data / "gtsrb-dev")
    assert len(benchmark.labels) == 6885
    assert len(benchmark.seen_classes) == 29
    assert len(benchmark.unseen_classes) == 5


def test_splits_that_were_written_on_windows(root: Path) -> None:
    make_splits(root)
    before, table = load_image_folder(root), root / "splits.csv"
    table.write_bytes(table.read_text().replace("/", "\\").replace("\n", "\r\n").encode("utf-16"))
    after = load_image_folder(root)
    assert [*map(str, after.inputs)] == [*map(str, before.inputs)]
    assert after.split.test_seen.tolist() == before.split.test_seen.tolist()
    # A backslash may be a part of a name, where the system allows it.
    shutil.move(root / "images" / "cat" / "0.png", root / "images" / "cat" / "a\\0.png")
    listed = table.read_text(encoding="utf-16").replace("\\", "/")
    table.write_text(listed.replace("cat/0.png", "cat/a\\0.png"))
    assert root / "images" / "cat" / "a\\0.png" in load_image_folder(root).inputs


def test_names_that_no_table_can_list_are_named(root: Path) -> None:
    shutil.move(root / "images" / "cat" / "0.png", root / "images" / "cat" / "caf\udce9.png")
    assert len(load_image_folder(root).labels) == 50
    with pytest.raises(DataError, match=r"images: expected names of files in UTF-8, got 'images/cat/caf\\udce9.png'"):
        make_splits(root)


def test_copies_on_both_sides_of_the_test_are_counted(root: Path) -> None:
    for number, file in enumerate(sorted(root.rglob("*.png"))):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(file)
    make_splits(root)
    before = load_image_folder(root)
    assert not any("byte for byte" in note for note in before.notes)
    files = [Path(str(source)) for source in before.inputs]
    train, test = (before.split.trainval.tolist(), before.split.test_seen.tolist())
    twins = [row for row in train if before.labels[row] == before.labels[test[0]]][:1]
    others = [row for row in train if before.labels[row] != before.labels[test[1]]][:1]
    for source, target in zip([*twins, *others], test[:2], strict=True):
        shutil.copy(files[source], files[target])
    (note,) = (note for note in load_image_folder(root).notes if "byte for byte" in note)
    assert note.startswith("2 test images are byte for byte the same as training images, 1 of them of another class: ")
    assert files[test[0]].name in note
    assert note in check_directory(root).notes
    # Copies on one side are no leak.
    shutil.copy(files[train[0]], files[train[1]])
    assert note in load_image_folder(root).notes
