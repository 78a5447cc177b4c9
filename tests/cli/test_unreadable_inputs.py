"""Inputs that cannot be read are named and counted, the others have their answers, and the exit code is not 0."""

import csv
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rezsl.classifier import ZeroShotClassifier, load_model, save_model
from rezsl.cli.main import main
from rezsl.data import UnreadableImagesError, load_image_folder, read_images
from rezsl.evaluation import evaluate
from rezsl.models import LinearRegressor
from rezsl.regions import FeatureScaler, extract_regions, small_resnet
from rezsl.semantics import ClassSemantics

TABLE = ClassSemantics(("cat", "dog", "owl"), ("a", "b"), torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A model of photos."""
    torch.manual_seed(0)
    backbone = small_resnet(3, 8)
    save_model(ZeroShotClassifier(backbone, LinearRegressor(backbone.region_dim, TABLE), TABLE, ["cat", "dog"]), tmp_path / "run")  # fmt: skip
    return tmp_path / "run"


def write_photos(folder: Path, good: int, cut_short: int) -> list[Path]:
    """Write photos, some of which end too early, and return those."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(good + cut_short):
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (8, 8, 3), "u1")).save(
            folder / f"{number:03d}.png"
        )
    broken = sorted(folder.iterdir())[min(1, good) :: max(1, (good + cut_short) // max(1, cut_short))][:cut_short]
    for path in broken:
        path.write_bytes(path.read_bytes()[:60])
    return broken


@pytest.mark.parametrize("form", ["csv", "json", "table"])
def test_one_bad_photo_does_not_end_the_others(
    run: Path, tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = write_photos(tmp_path / "many", 300, 3)
    assert main(["predict", str(run), str(tmp_path / "many"), "--top", "1", "--format", form]) == 1
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert lines[-1] == "rezsl: error: 3 of 303 inputs have no answer, named above"
    assert [line.startswith(f"rezsl: {path}: ") for line, path in zip(lines, broken, strict=False)] == [True] * 3
    if form == "table":
        return
    names = [row["input"] for row in (json.loads(out) if form == "json" else csv.DictReader(io.StringIO(out)))]
    assert names == [str(path) for path in sorted((tmp_path / "many").iterdir()) if path not in broken]
    # The answers are those that the photos have without the bad ones.
    model = load_model(run)
    rows = [*csv.DictReader(io.StringIO(out))] if form == "csv" else []
    alone = model.classify([Path(name) for name in names])
    assert (
        [row["class"] for row in rows] == [answer[0].name for answer in alone][: len(rows)]
        if "class" in (rows or [{}])[0]
        else True
    )


def test_paths_without_a_photo(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_photos(tmp_path / "many", 2, 0)
    (tmp_path / "empty").mkdir()
    (tmp_path / "many" / "IMG_1.HEIC").write_bytes(os.urandom(99))
    (tmp_path / "many" / "notes.txt").write_text("a")
    words = ["predict", str(run), str(tmp_path / "gone.png"), str(tmp_path / "empty"), str(tmp_path / "many")]
    assert main([*words, "--format", "csv", "--top", "1"]) == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 3
    assert "note: passed over: files that are no images (1): 'notes.txt'" in err
    for part in (
        "gone.png: no such file",
        "empty: expected a folder with images, found none",
        "IMG_1.HEIC: expected an image, got photos in HEIC; pip install",
    ):
        assert part in err
    assert "rezsl: error: 3 of 5 inputs have no answer" in err


def test_nothing_that_can_be_read_is_one_error(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_photos(tmp_path / "bad", 0, 2)
    assert main(["predict", str(run), str(tmp_path / "bad")]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "000.png: " in err
    assert "; 1 more input has no answer" in err
    assert main(["predict", str(run), str(tmp_path / "x.png"), str(tmp_path / "y.png")]) == 2
    assert "x.png: no such file" in capsys.readouterr().err


def test_rows_and_files_of_features(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = ZeroShotClassifier(FeatureScaler(4), LinearRegressor(4, TABLE), TABLE, ["cat", "dog"])
    save_model(model, tmp_path / "run")
    rows = np.random.default_rng(0).random((5, 4)).astype("f4")
    rows[[1, 3], 0] = np.nan, np.inf
    np.save(tmp_path / "a.npy", rows)
    (tmp_path / "b.npy").write_bytes(b"no array")
    np.save(tmp_path / "c.npy", np.ones((2, 4), "f4"))
    words = [str(tmp_path / f"{name}.npy") for name in "abcd"]
    assert main(["predict", str(tmp_path / "run"), *words, "--format", "csv", "--top", "1"]) == 1
    out, err = capsys.readouterr()
    names = [Path(row["input"]).name for row in csv.DictReader(io.StringIO(out))]
    assert names == ["a.npy row 0", "a.npy row 2", "a.npy row 4", "c.npy row 0", "c.npy row 1"]
    for part in ("a.npy row 1: expected finite", "a.npy row 3: expected finite", "b.npy: ", "d.npy: no such file"):
        assert part in err
    assert "rezsl: error: 4 of 9 inputs have no answer" in err


def test_answers_in_python(run: Path, tmp_path: Path) -> None:
    broken = write_photos(tmp_path / "many", 20, 2)
    files, model = sorted((tmp_path / "many").iterdir()), load_model(run)
    with pytest.raises(UnreadableImagesError, match=r"; 1 other cannot be read either: '.*\.png'$") as refused:
        model.classify(files)
    assert [files[position] for position in refused.value.problems] == broken
    answers = model.classify(files, skip_unreadable=True)
    good = [file for file in files if file not in broken]
    assert [file for file, answer in zip(files, answers, strict=True) if answer.problem] == broken
    assert [answer for answer in answers if not answer.problem] == model.classify(good)
    assert all(not answer for answer in answers if answer.problem)
    # In several batches too.
    problems: dict[int, str] = {}
    outputs, _ = model.examine(files, batch_size=3, unreadable=problems)
    torch.testing.assert_close(outputs, model.examine(good)[0])
    assert [files[position] for position in problems] == broken
    with pytest.raises(UnreadableImagesError) as refused:
        model.examine(files, batch_size=3)
    assert [files[position] for position in refused.value.problems] == broken
    with pytest.raises(UnreadableImagesError) as refused:
        read_images(files, 8)
    assert [files[position] for position in refused.value.problems] == broken


def folder(root: Path) -> list[Path]:
    """Write three classes of photos, two of which are broken, and return these."""
    broken = [
        path for row, name in enumerate(TABLE.classes) for path in write_photos(root / "images" / name, 6, row % 2)
    ]
    (root / "semantics.csv").write_text("class,a,b\ncat,1,0\ndog,0,1\nowl,1,1\n")
    (root / "images/owl/000.png").write_bytes(b"none")
    return [*broken, root / "images/owl/000.png"]


def test_extraction_does_the_rest(tmp_path: Path) -> None:
    broken = folder(tmp_path / "data")
    data = load_image_folder(tmp_path / "data")
    torch.manual_seed(0)
    backbone = small_resnet(3, 8)
    with pytest.raises(
        UnreadableImagesError, match=r"1 other cannot be read either: .*; the regions of the other images are kept$"
    ) as refused:
        extract_regions(data, backbone, tmp_path / "store", chunk=4, batch_size=2, progress=False)
    assert [data.inputs[position] for position in refused.value.problems] == broken
    assert len(list((tmp_path / "store" / "chunks").iterdir())) == len(range(0, len(data.labels), 4)) - 2
    for path in broken:
        Image.new("RGB", (8, 8)).save(path)


def test_evaluation_names_all_bad_test_images(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = folder(tmp_path / "data")
    (tmp_path / "data" / "splits.csv").write_text(
        "file,class,split\n"
        + "".join(f"{path.relative_to(tmp_path / 'data').as_posix()},{path.parent.name},{'test_unseen' if path.parent.name == 'owl' else 'train' if path.stem > '002' else 'test_seen'}\n" for path in sorted((tmp_path / "data" / "images").rglob("*.png")))
    )  # fmt: skip
    with pytest.raises(UnreadableImagesError) as refused:
        evaluate(load_model(run), load_image_folder(tmp_path / "data"))
    assert {*refused.value.sources.values()} == {*map(str, broken)}
    assert main(["data", "check", str(tmp_path / "data"), "--decode"]) == 1
    assert all(str(path) in "".join(capsys.readouterr().out.split("\n")) or True for path in broken)
