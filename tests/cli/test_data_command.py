import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from rezsl.cli.main import USER_ERROR, main
from rezsl.data import load_image_folder

INCOMPLETE = 1


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Five classes of ten images, two frames of each object; a sixth class without images."""
    names = ("cat", "dog", "owl", "bat[1]", "5")
    rows = [f"{name},{number % 2},{number + 1},3" for number, name in enumerate((*names, "yeti"))]
    (tmp_path / "semantics.csv").write_text("\n".join(["class,fur,size,legs", *rows]))
    for name in names:
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(10):
            Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / "images" / name / f"{number // 2}-{number}.png")
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], code: int, *arguments: str | Path) -> str:
    capsys.readouterr()
    assert main(["data", *map(str, arguments)]) == code
    return capsys.readouterr().out


def test_make_splits_says_what_it_decided(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(
        capsys, 0, "make-splits", root, "--unseen", "bat[1]", "5", "--validation", "0", "--group-pattern", r"^(\d)-",
        "--mat",
    )  # fmt: skip
    table = {cells[0]: cells[1:] for line in out.splitlines() if len(cells := line.replace("│", " ").split()) > 2}
    assert table["train"] == ["24", "3"]
    assert table["test_seen"] == ["6", "3"]
    assert table["test_unseen"] == ["20", "2", "bat[1],", "5"]
    assert "note: classes without images are unseen, and cannot be tested: 'yeti'" in out
    for name in ("splits.csv", "xlsa17/att_splits.mat", "xlsa17/image_files.mat", "xlsa17/attributes.txt"):
        assert f"wrote {root / name}" in out
    assert load_image_folder(root).unseen_classes == ("bat[1]", "5")


def test_a_single_number_is_a_share_or_a_class(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed(capsys, 0, "make-splits", root, "--unseen", "5", "--validation", "0.3")
    benchmark = load_image_folder(root)
    assert benchmark.unseen_classes == ("5",)
    assert len(benchmark.class_names(benchmark.split.val)) == 1
    printed(capsys, 0, "make-splits", root, "--unseen=0.6", "--validation=0", "--overwrite")
    assert len(load_image_folder(root).unseen_classes) == 3


def test_check_of_a_sound_folder(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed(capsys, 0, "make-splits", root, "--unseen", "cat", "--validation", "dog")
    Image.new("L", (8, 8)).save(root / "images" / "owl" / "later.png")
    content = json.loads(printed(capsys, 0, "check", root, "--decode", "--format", "json"))
    assert content["complete"] is content["decoded"] is True
    assert content["classes"] == {"cat": 10, "dog": 10, "owl": 11, "bat[1]": 10, "5": 10, "yeti": 0}
    assert content["splits"]["dog"] == {"train": 0, "val": 8, "test_seen": 2, "test_unseen": 0}
    assert content["without_images"] == ["yeti"]
    assert content["unlisted"] == ["images/owl/later.png"]
    out = printed(capsys, 0, "check", root)
    assert "bat[1]" in out
    assert "classes without images:\n  yeti\n" in out
    assert "images that splits.csv leaves out:\n  images/owl/later.png\n" in out
    assert "can be used as it is (images were not decoded; add --decode for that)" in out


def test_check_of_a_broken_folder(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = root / "images" / "cat" / "0-0.png"
    photo.write_bytes(photo.read_bytes()[:44])
    assert "can be used as it is" in printed(capsys, 0, "check", root)
    out = printed(capsys, INCOMPLETE, "check", root, "--decode")
    assert f"problems:\n  {photo}: cannot be read (OSError: image file is truncated); expected an image" in out
    assert "can be used" not in out
    (root / "images" / "yak").mkdir()
    content = json.loads(printed(capsys, INCOMPLETE, "check", root, "--format=json"))
    assert content["problems"][0].endswith(
        "class folders without a single image: 'yak'; add some, or remove the folder if the class is unseen"
    )
    assert content["splits"] == {}
    (root / "images" / "yak").rmdir()
    # A splits.csv may name files anywhere below the folder, and the class it names counts.
    (root / "photos").mkdir()
    (root / "images" / "cat" / "2-4.png").rename(root / "photos" / "x.png")
    (root / "splits.csv").write_text("file,class,split\nphotos/x.png,dog,train\n")
    shutil.rmtree(root / "images")
    content = json.loads(printed(capsys, INCOMPLETE, "check", root, "--decode", "--format=json"))
    (problem,) = content["problems"]
    assert "fit needs images of at least 3 classes, to hold one out and still compare two, got 1" in problem
    assert content["classes"] == {"cat": 0, "dog": 1, "owl": 0, "bat[1]": 0, "5": 0, "yeti": 0}
    (root / "splits.csv").unlink()
    assert "images: no such folder; expected images/<class>" in printed(capsys, INCOMPLETE, "check", root)


def test_check_of_the_files_of_the_field(real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = json.loads(printed(capsys, INCOMPLETE, "check", real_data / "xlsa17-splits" / "AWA2", "--format=json"))
    assert (content["kind"], content["complete"], content["root"]) == (
        "xlsa17", False, str(real_data / "xlsa17-splits" / "AWA2"),
    )  # fmt: skip
    out = printed(capsys, INCOMPLETE, "check", real_data / "xlsa17-splits" / "AWA2")
    assert "AWA2, for --data xlsa17\n" in out
    for heading, lines in (("missing", content["missing"]), ("to download", content["downloads"])):
        assert f"{heading}:\n" + "".join(f"  {line}\n" for line in lines) in out
    assert out.endswith("not complete\n")
    (tmp_path / "holiday").mkdir()
    assert "holiday: no data set that rezsl reads\n" in printed(capsys, INCOMPLETE, "check", tmp_path / "holiday")
    (tmp_path / "images").mkdir()
    assert "semantics.csv: no such file; check the path" in printed(capsys, INCOMPLETE, "check", tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data", "make-split"], "unknown sub-command 'make-split' of data (did you mean make-splits?); sub-commands: check, make-splits"),
        (["dta"], "unknown command 'dta' (did you mean data?)"),
        (["data", "check"], "expected DIR, got none; see rezsl data check --help"),
        (["data", "check", "ROOT", "--decod"], "unknown option --decod (did you mean --decode?); see rezsl data check --help"),
        (["data", "make-splits", "ROOT", "--sed=1"], "unknown option --sed (did you mean --seed?); see rezsl data make-splits --help"),
        (["data", "make-splits", "ROOT", "--seed=x"], "--seed: expected a whole number, got x"),
        (["data", "make-splits", "ROOT", "--unseen", "1.5"], "--unseen: no class is called '1.5'; expected names of semantics.csv, or a share below 1"),
        (["data", "make-splits", "ROOT", "--unseen", "-0.5"], "--unseen: expected a share of at least 0 and below 1, or class names, got -0.5"),
        (["data", "check", "/nowhere"], "/nowhere: no such folder; check the path"),
        (["data", "check", "ROOT/images", "--decode"], "--decode: expected a folder of one's own images, but ROOT/images has no semantics.csv; ROOT/images is a part of your own images (images/ and semantics.csv): give the folder around it, ROOT"),
    ],
)  # fmt: skip
def test_a_wrong_command_line_ends_in_one_clear_line(
    root: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([argument.replace("ROOT", str(root)) for argument in arguments]) == USER_ERROR
    (line,) = capsys.readouterr().err.splitlines()
    assert message.replace("ROOT", str(root)) in line


def test_help_at_each_level(capsys: pytest.CaptureFixture[str]) -> None:
    assert "choose unseen classes" in printed(capsys, 0)
    assert printed(capsys, 0, "--help") == printed(capsys, 0)
    for command, option in (("check", "--decode"), ("make-splits", "--group-pattern")):
        assert option in printed(capsys, 0, command, "--help")


@pytest.fixture
def faulty(root: Path) -> Path:
    """The same images, with a class without images that has an attribute which no other class has."""
    rows = ["cat;1;0,4;", "dog;0;1;", "owl;x;60 %;no", "bat[1];0;0,2;no", "5;1;0,9;no", "yeti;1;0,5;yes"]
    (root / "semantics.csv").write_text("\n".join(["class;fur;size;horns", *rows]).replace("cat;1;0,4;", "cat;1;0,4;?"))
    return root


FAULT = "no training class varies in 'horns'; 44 % of the row of 'yeti' rests on it; --varied-only true leaves it out of the scores"


def test_a_fault_of_the_table_is_reported_with_a_remedy(faulty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = faulty / "semantics.csv"
    text.write_text(text.read_text().replace("?", "no").replace("dog;0;1;", "dog;0;1;no"))
    out = printed(capsys, 0, "check", faulty)
    assert f"table, 1 of 1: {FAULT}\n  what to do: train on a class that has them" in out
    (finding,) = json.loads(printed(capsys, 0, "check", faulty, "--format=json"))["findings"]
    assert (finding["kind"], finding["text"], finding["details"]) == ("unvaried", FAULT, ["yeti: 44 %, 'horns'"])
    out = printed(capsys, 0, "make-splits", faulty, "--unseen", "cat", "--validation", "dog")
    assert f"  table: {FAULT}\n  what to do: rezsl data check {faulty}\n" in out
    capsys.readouterr()
    training = ["--max-epochs=1", "--report=false", f"--run-dir={faulty / 'run'}"]
    assert main(["fit", "--data=folder", f"--data.root={faulty}", *training]) == 0
    assert f"  table: {FAULT}\n  what to do: rezsl data check {faulty}\n" in capsys.readouterr().out


def test_unknown_cells_are_noted_by_every_command(faulty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note = "note: semantics.csv: 2 unknown cells took the mean of the attribute over the classes where it is known: "
    for command in ("check", "make-splits"):
        assert f"{note}'horns' of 'cat', 'horns' of 'dog'\n" in printed(capsys, 0, command, faulty)
    assert load_image_folder(faulty).semantics.values[:2, 2].tolist() == [0.25, 0.25]


def test_a_table_the_other_way_up_is_recognised_by_its_folders(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    upright = load_image_folder(root).semantics
    lines = [line.split(",") for line in (root / "semantics.csv").read_text().splitlines()]
    (root / "semantics.csv").write_text("\n".join(",".join(cells) for cells in zip(*lines, strict=True)))
    note = "note: semantics.csv has a row per attribute and a column per class, and was read so\n"
    assert note in printed(capsys, 0, "check", root)
    assert note in printed(capsys, 0, "make-splits", root)
    turned = load_image_folder(root).semantics  # now by the classes that splits.csv lists
    assert (turned.classes, turned.attributes) == (upright.classes, upright.attributes)
    assert turned.values.equal(upright.values)


def test_names_that_differ_in_spelling_are_suggested(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed(capsys, 0, "make-splits", root, "--unseen", "cat")
    (root / "images" / "owl").rename(root / "images" / "Owl")
    rows = (root / "splits.csv").read_text().splitlines(keepends=True)
    (root / "splits.csv").write_text("".join(row for row in rows if "owl" not in row))
    out = printed(capsys, 0, "check", root)
    text = "folders of images without a row in the table: 'Owl'; did you mean 'owl'?"
    assert f": {text}\n  what to do: give folder, splits.csv and row the same name" in out
    (root / "splits.csv").unlink()
    assert "expected rows for 'Owl', got none; add a row for each to the table; did you mean 'owl'?" in printed(
        capsys, INCOMPLETE, "check", root
    )
    (root / "images" / "Owl").rename(root / "images" / "owl")
    capsys.readouterr()
    assert main(["data", "make-splits", str(root), "--unseen", "Bat[1]"]) == USER_ERROR
    assert "--unseen: no class is called 'Bat[1]'" in (message := capsys.readouterr().err)
    assert "did you mean 'bat[1]'?" in message


def test_a_row_with_a_folder_of_its_own_is_not_suggested(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "images" / "cats").mkdir()
    Image.new("L", (8, 8)).save(root / "images" / "cats" / "1.png")
    out = printed(capsys, INCOMPLETE, "check", root)
    assert "expected rows for 'cats', got none; add a row for each to the table\n" in out
    (root / "semantics.csv").write_text((root / "semantics.csv").read_text().replace("yeti", "Cats"))
    assert "did you mean 'Cats'?" in printed(capsys, INCOMPLETE, "check", root)


def test_attributes_in_which_no_class_differs_are_mentioned(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note = "note: 'legs' has the same value in all classes, which tells none of them apart; fill in what differs\n"
    out = printed(capsys, 0, "check", root)
    assert note in out
    assert "table, " not in out
    text = (root / "semantics.csv").read_text()
    (root / "semantics.csv").write_text(text.replace("cat,0,1,3", "cat,0,1,2"))
    assert "the same value" not in printed(capsys, 0, "check", root)


def test_the_first_wrong_cell_is_named_and_the_others_are_counted(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "semantics.csv").write_text((root / "semantics.csv").read_text().replace(",3", ",three"))
    out = printed(capsys, INCOMPLETE, "check", root)
    assert "line 2, attribute 'legs': expected a number, a percentage, yes, no, x, or ? for an unknown value, " in out
    assert "got 'three'; the same holds for 6 other cells; correct the cell\n" in out


def test_check_of_a_folder_with_too_few_classes(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in (root / "images").iterdir():
        if folder.name not in ("cat", "dog"):
            shutil.rmtree(folder)
    out = printed(capsys, 1, "check", root)
    assert "fit needs images of at least 3 classes, to hold one out and still compare two, got 2" in out
