import re
from pathlib import Path

import pytest
import torch
from PIL import Image

from rezsl.cli.main import USER_ERROR, main
from rezsl.data import load_digits


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("explain") / "run"
    short = ["--max-epochs=1", "--batches.per-epoch=3", "--accelerator=cpu", "--report=false"]
    tiny = ["--backbone", "small_resnet", "--backbone.width", "4"]
    assert main(["fit", "--data", "digits", *tiny, *short, "--run-dir", str(root)]) == 0
    return root


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "eight.png"
    images = load_digits().inputs
    assert isinstance(images, torch.Tensor)
    Image.fromarray(images[8, 0].numpy()).save(path)
    return path


def test_a_picture_is_written_where_it_was_asked_for(
    run: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["explain", str(run), str(photo)]) == 0
    printed = capsys.readouterr().out
    assert "written to eight-explained.png" in printed
    with Image.open("eight-explained.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > 500
    chosen = ["--semantics", "[roundness, narrow]", "--output", "chosen.png"]
    assert main(["explain", str(run), str(photo), *chosen]) == 0
    assert Path("chosen.png").stat().st_size > 10_000


def test_the_output_says_how_the_score_came_about(
    run: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = ["-o", str(tmp_path / "why.pdf")]
    for gamma, seen in (("1000", False), ("-1000", True)):
        capsys.readouterr()
        assert main(["explain", str(run), str(photo), *drawn, f"--gamma={gamma}"]) == 0
        printed = capsys.readouterr().out
        number = r"([+-]?\d+\.\d\d)"
        found = re.search(
            rf"score of (\d): {number}, of which attributes make {number} and γ {number}, as it has", printed
        )
        assert found is not None
        assert (found[1] not in "258") == seen
        total, of_attributes, of_gamma = map(float, found.groups()[1:])
        assert total == pytest.approx(of_attributes + of_gamma, abs=0.011)
        assert of_gamma == (1000 if seen else 0)
        assert f"as it has {'' if seen else 'no '}training images" in printed
        assert re.search(rf"ahead of \d by {number}, of which γ makes {number}\n", printed)
        assert re.search(rf"strangeness {number}: an image above 0 is far from every description\n", printed)
        assert ("(weakly)" in printed) == ("\nweakly: found with less than 50 % of the value that" in printed)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            ["--semantics", "[roundnes]"],
            "--semantics: expected attributes of the model, got 'roundnes'; did you mean 'roundness'?; correct the name",
        ),
        (["--top", "0"], "--top: expected at least 1, got 0; see rezsl explain --help"),
        (["--row", "1"], "--row: expected a row of PHOTO, from 0 to 0, got 1; see rezsl explain --help"),
        (["--row=-1"], "--row: expected a row of PHOTO, from 0 to 0, got -1; see rezsl explain --help"),
        (
            ["--output", "DIR"],
            "--output: expected a file, got the directory DIR; name a file in it, as DIR/explained.png",
        ),
        (
            ["--output", "DIR/no/x.png"],
            "--output: expected a file in a directory that exists, got DIR/no/x.png; make DIR/no first",
        ),
        (
            ["--output", "DIR/x.xyz"],
            "--output: expected a picture's name, ending in .png, .pdf or .svg, got DIR/x.xyz; give it one of these endings",
        ),
        (
            ["--output", "DIR/x"],
            "--output: expected a picture's name, ending in .png, .pdf or .svg, got DIR/x; give it one of these endings",
        ),
    ],
)
def test_what_cannot_be_drawn_is_one_line(
    run: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], expected: str
) -> None:
    capsys.readouterr()
    out = tmp_path / "none.png"
    options = [option.replace("DIR", str(tmp_path)) for option in options]
    assert main(["explain", str(run), str(photo), "--output", str(out), *options]) == USER_ERROR
    expected = expected.replace("DIR", str(tmp_path)).replace("PHOTO", str(photo))
    assert capsys.readouterr().err.strip() == f"rezsl: error: {expected}"
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_image_is_one_line(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = tmp_path / "photo.png"
    wrong.write_text("not an image")
    capsys.readouterr()
    assert main(["explain", str(run), str(wrong)]) == USER_ERROR
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert str(wrong) in line
