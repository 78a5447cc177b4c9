"""Paths that a shell does not expand, and data that are not where the record of a run leads."""

from pathlib import Path

import pytest
from PIL import Image

from rezsl import load_model
from rezsl.cli.main import USER_ERROR, main
from rezsl.files import as_text, local_path

COLORS = {"red": "1,0,0", "green": "0,1,0", "blue": "0,0,1", "yellow": "1,1,0", "cyan": "0,1,1", "white": "1,1,1"}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run whose data have a relative path."""
    folder = tmp_path_factory.mktemp("home")
    table = ["class,r,g,b", *(f"{name},{cells}" for name, cells in COLORS.items())]
    for name, cells in COLORS.items():
        (folder / "signs" / "images" / name).mkdir(parents=True)
        for number in range(5):
            color = tuple(int(cell) * (200 + 10 * number) for cell in cells.split(","))
            Image.new("RGB", (8, 8), color).save(folder / "signs" / "images" / name / f"{number}.png")
    (folder / "signs" / "semantics.csv").write_text("\n".join(table))
    (folder / "deep").mkdir()
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        options = ["--max-epochs", "1", "--batches.per-epoch", "2", "--report", "false", "--accelerator", "cpu"]
        assert main(["fit", "--data", "folder", "--data.root", "signs", "--run-dir", "run", *options]) == 0
    return folder


@pytest.mark.parametrize("command", [["evaluate"], ["report", "-o", "page.html"], ["fit", "--resume", "--run-dir"]])
def test_a_relative_path_says_what_it_is_relative_to(
    here: Path, command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(here / "deep")
    assert main([*command, "../run"]) == USER_ERROR
    config = Path("../run/config.yaml")
    assert capsys.readouterr().err == (
        f"rezsl: error: {config}: data.root: expected the folder of the run's data, got signs, and there is none in "
        f"{Path.cwd()}, to which this path is relative; give its place with --data.root\n"
    )
    place = ["--data.root", "../signs"]
    if command[0] != "fit":
        assert main([*command, "../run", *place]) == 0
    else:
        assert main([*command, "../run", *place]) == USER_ERROR
        assert "finished run" in capsys.readouterr().err


def test_home_is_expanded_in_every_path(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(here / "deep")
    monkeypatch.setenv("HOME", str(here))
    for command in (
        "evaluate ~/run --data.root=~/signs --foreign=~/signs",
        "predict ~/run ~/signs/images/red/0.png --classes=~/signs/semantics.csv",
        "explain ~/run ~/signs/images/red/0.png --output=~/why.png",
        "report ~/run --data-root ~/signs --output=~/page.html",
        "data check ~/signs",
        "data make-splits ~/signs --overwrite",
    ):
        assert main(command.split()) in (0, 1), command
    assert {"why.png", "page.html"} <= {path.name for path in here.iterdir()}
    assert "splits.csv" in {path.name for path in (here / "signs").iterdir()}
    (here / "signs" / "splits.csv").unlink()
    assert not (here / "deep" / "~").exists()
    assert load_model("~/run").seen_classes
    (here / "base.yaml").write_text("data: {class_path: folder, init_args: {root: ~/nowhere}}\nmax_epochs: 1\n")
    (here / "top.yaml").write_text("base: ~/base.yaml\n")
    capsys.readouterr()
    assert main(["fit", "--config=~/top.yaml"]) == USER_ERROR
    assert capsys.readouterr().err == f"rezsl: error: {here}/nowhere: no such folder; check the path\n"


def test_names_of_files_survive_text() -> None:
    for name in ("a/caf\udce9", "~x/y", "猫/😀", "plain"):
        assert local_path(as_text(name)) == Path(name)
        as_text(name).encode()
