"""``--output`` replaces no file that the command reads: not one that is named, nor one of a folder that is named."""

import errno
import os
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from rezsl.classifier import ZeroShotClassifier, save_model
from rezsl.cli.main import USER_ERROR, main
from rezsl.models import LinearRegressor
from rezsl.play._standalone import PARTS
from rezsl.regions import small_resnet
from rezsl.semantics import ClassSemantics

DATA = {"class_path": "folder", "init_args": {"root": "photos"}}
PLAN = {
    "datasets": {"toy": {"data": {"class_path": "synthetic"}}},
    "methods": {"linear": {"model": "linear"}},
    "losses": {"MSE": {"loss": "MSELoss"}},
    "seeds": [0],
    "baseline": {"method": "linear", "loss": "MSE"},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photos, a run on them, a table beside them that is linked into them, and files of options."""
    root = tmp_path_factory.mktemp("outputs")
    (root / "photos" / "images" / "stop").mkdir(parents=True)
    Image.new("L", (8, 8)).save(root / "photos" / "images" / "stop" / "1.png")
    Image.new("L", (8, 8)).save(root / "photo.png")
    (root / "table.csv").write_text("class,red,round\nstop,1,0\n")
    (root / "photos" / "semantics.csv").symlink_to(root / "table.csv")
    (root / "photos" / "splits.csv").write_text("file,class,split\nimages/stop/1.png,stop,train\n")
    semantics = ClassSemantics(("stop", "go"), ("red", "round"), torch.eye(2))
    backbone = small_resnet(1, 8, width=4)
    model = ZeroShotClassifier(backbone, LinearRegressor(backbone.region_dim, semantics), semantics, ["stop"])
    save_model(model, root / "run")
    (root / "run" / "config.yaml").write_text(yaml.safe_dump({"data": DATA}))
    (root / "store" / "chunks").mkdir(parents=True)
    (root / "store" / "chunks" / "000000.json").write_text("{}")
    (root / "dist").mkdir()
    for name in PARTS.values():
        (root / "dist" / name).write_text("script")
    (root / "words.txt").write_text("red 1\n")
    (root / "space.yaml").write_text("loss_weight: [1, 2]\n")
    (root / "base.yaml").write_text(yaml.safe_dump({"data": DATA}))
    (root / "options.yaml").write_text("base: base.yaml\nmax_epochs: 1\n")
    (root / "studies").write_text("")
    (root / "plans").mkdir()
    (root / "plans" / "table.csv").write_text(yaml.safe_dump(PLAN))
    return root


SWEEP = "sweep options.yaml --space space.yaml"


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        (SWEEP, "space.yaml"),
        (SWEEP, "options.yaml"),
        (SWEEP, "base.yaml"),
        (SWEEP, "photos/splits.csv"),
        (SWEEP, "table.csv"),
        (SWEEP, "photos/images/stop/1.png"),
        (f"{SWEEP} --word-vectors words.txt", "words.txt"),
        (f"{SWEEP} --storage studies", "studies"),
        (f"{SWEEP} --storage sqlite:///studies", "studies"),
        ("sweep --data folder --data.root photos --space space.yaml", "photos/splits.csv"),
        ("export run", "run/model.safetensors"),
        ("export run", "run/model.json"),
        ("export run", "photos/splits.csv"),
        ("export run --store store", "store/chunks/000000.json"),
        ("export run --format html --runtime dist", f"dist/{PARTS['wasm']}"),
        ("report run", "run/config.yaml"),
        ("report run", "photos/splits.csv"),
        ("report run", "photos/images/stop/1.png"),
        ("report run", "table.csv"),
        ("report run --data folder --data.root photos", "photos/splits.csv"),
        ("explain run photo.png", "photo.png"),
        ("explain run photo.png", "run/model.safetensors"),
        ("explain run photo.png --classes table.csv", "table.csv"),
        ("explain run photo.png --store store", "store/chunks/000000.json"),
    ],
)
def test_files_that_are_read_are_not_replaced(
    command: str, kept: str, made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(made)
    before = {path: path.read_bytes() for path in made.rglob("*") if path.is_file()}
    assert main([*command.split(), "-o", kept]) == USER_ERROR
    message = capsys.readouterr().err
    assert message.startswith("rezsl: error: -o: expected another file than ")
    assert f"got {kept}" in message
    assert "; choose another name, such as " in message
    assert message.count("\n") == 1
    assert {path: path.read_bytes() for path in made.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("output", "storage"), [("new.journal", []), ("s.yaml", ["s.yaml"]), ("s.db", ["sqlite:///s.db"])]
)
def test_the_best_settings_of_a_sweep_do_not_replace_its_trials(
    output: str, storage: list[str], made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(made)
    assert main([*SWEEP.split(), "-o", output, *(part for one in storage for part in ("--storage", one))]) == USER_ERROR
    expected = f"rezsl: error: -o: expected another file than that of the trials (--storage), got {output} for both; "
    assert capsys.readouterr().err == f"{expected}choose another name, such as best.yaml\n"
    assert not (made / output).exists()


def test_the_tables_of_a_comparison_do_not_replace_its_plan(
    made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(made)
    before = Path("plans/table.csv").read_bytes()
    assert main(["compare", "plans/table.csv", "-o", "plans"]) == USER_ERROR
    assert "-o: expected another directory than that of plans/table.csv" in capsys.readouterr().err
    assert Path("plans/table.csv").read_bytes() == before
    assert [path.name for path in Path("plans").iterdir()] == ["table.csv"]


@pytest.mark.parametrize("output", ["run/plot.pdf", "elsewhere.svg"])
def test_a_result_is_replaced_by_the_next(
    output: str, made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(made)
    for _ in range(2):
        assert main(["explain", "run", "photo.png", "-o", output]) == 0
    capsys.readouterr()
    Path(output).unlink()


def test_a_comparison_that_cannot_begin_leaves_no_directory(
    made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(path: Path, content: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.chdir(made)
    monkeypatch.setattr("rezsl.cli.compare.write_json", full)
    assert main(["compare", "plans/table.csv", "-o", "out"]) == USER_ERROR
    assert (
        capsys.readouterr().err == "rezsl: error: out/plan.json: No space left on device; make room, and start again\n"
    )
    assert not Path("out").exists()


@pytest.mark.parametrize("command", ["export run", "report run", "explain run photo.png", SWEEP])
def test_a_directory_that_cannot_be_written_is_refused_before_the_work(
    command: str, made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(made)
    # The administrator, as whom tests may run, may write everywhere.
    access = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode, **more: Path(path) != made / "plans" and access(path, mode, **more)
    )
    assert main([*command.split(), "-o", "plans/new.png"]) == USER_ERROR
    expected = "-o: expected a file in a directory that can be written, got plans/new.png; allow it, or choose another "
    assert capsys.readouterr().err == f"rezsl: error: {expected}directory\n"
