import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from rezsl.__main__ import main as enter
from rezsl.classifier import ZeroShotClassifier, save_model
from rezsl.cli._options import parse
from rezsl.cli.fit import parser, prepare
from rezsl.cli.main import USER_ERROR, main
from rezsl.data import Benchmark, load_digits
from rezsl.interruption import INTERRUPTED
from rezsl.models import LinearRegressor
from rezsl.regions import FeatureScaler
from rezsl.training import Batches, FitResult, Training, fit, next_run_directory, protocol

SHORT = ["--max-epochs=2", "--batches.per-epoch=10", "--accelerator=cpu"]
WITHOUT_PAGE = ["--report", "false"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on the digits, made by the command."""
    directory = tmp_path_factory.mktemp("cli") / "digits"
    assert main(["fit", "--data", "digits", "--run-dir", str(directory), *SHORT]) == 0
    return directory


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three digits as files."""
    digits = load_digits()
    assert isinstance(digits.inputs, torch.Tensor)
    folder = tmp_path_factory.mktemp("images")
    for number in range(3):
        Image.fromarray(digits.inputs[number, 0].numpy()).save(folder / f"{number}.png")
    return folder


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """The single line that a wrong command line ends with."""
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == USER_ERROR
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("rezsl: error: ")
    return lines[0].removeprefix("rezsl: error: ")


def test_fit_leaves_everything_in_the_run_directory(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = {path.name for path in run.iterdir()}
    assert names >= {
        "config.yaml", "settings.json", "metrics.json", "history.csv", "selection.json",
        "model.json", "model.safetensors", "curve.png", "error_matrix.png",
    }  # fmt: skip
    for picture in ("curve.png", "error_matrix.png"):
        with Image.open(run / picture) as image:
            assert min(image.size) > 400


def test_the_kept_config_is_a_whole_command_line(run: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    assert main(["fit", "--config", str(run / "config.yaml"), *WITHOUT_PAGE, "--run-dir", str(again)]) == 0
    first, second = (json.loads((path / "metrics.json").read_text()) for path in (run, again))
    assert first["test"] == second["test"]


def test_a_run_without_a_loss_stays_one(tmp_path: Path) -> None:
    """What is null is kept as null: left out, it would come back as its default, ReMSE."""
    short = [
        "--max-epochs=1",
        "--batches.per-epoch=2",
        "--augmentation=null",
        "--backbone",
        "small_resnet",
        *WITHOUT_PAGE,
    ]
    first, again = tmp_path / "first", tmp_path / "again"
    assert main(["fit", "--data", "digits", "--loss=null", *short, "--backbone.width=4", "--run-dir", str(first)]) == 0
    assert main(["fit", "--config", str(first / "config.yaml"), *WITHOUT_PAGE, "--run-dir", str(again)]) == 0
    for run in (first, again):
        settings = json.loads((run / "settings.json").read_text())
        assert (settings["loss"], settings["augmentation"]) == ("None", None)


def test_print_config_prints_a_file_that_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(
            [
                "fit",
                "--data",
                "digits",
                "--max-epochs=1",
                "--batches.per-epoch=10",
                "--augmentation=null",
                "--print-config",
            ]
        )
    assert left.value.code == 0
    (tmp_path / "run.yaml").write_text(capsys.readouterr().out)
    options = [*WITHOUT_PAGE, "--accelerator=cpu", "--run-dir", str(tmp_path / "r")]
    assert main(["fit", "--config", str(tmp_path / "run.yaml"), *options]) == 0


def test_evaluate_repeats_the_figures(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["evaluate", str(run), "--format=json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((run / "metrics.json").read_text())["test"]
    assert (
        main(["evaluate", str(run), "--data", "digits", "--data.unseen", "[2]", "--data.validation=[]"]) == USER_ERROR
    )
    assert "the model was not trained on '5', '8'" in capsys.readouterr().err
    assert main(["evaluate", str(run)]) == 0
    assert "H_oracle" in capsys.readouterr().out


def test_evaluate_shows_how_far_off_mistakes_are(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    classes = json.loads((run / "metrics.json").read_text())["test"]["class_f1"]
    table = tmp_path / "groups.csv"
    table.write_text("class,group\n" + "".join(f"{name},{place % 3}\n" for place, name in enumerate(classes)))
    capsys.readouterr()
    assert main(["evaluate", str(run), "--class-groups", str(table), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["hierarchy"]
    assert 0 <= found["seen"] < found["mistakes"] <= 1
    assert main(["evaluate", str(run), "--class-groups", str(table)]) == 0
    assert f"\n  mistakes       {found['mistakes']:6.3f}\n" in capsys.readouterr().out
    table.write_text("class,group\n")
    assert main(["evaluate", str(run), "--class-groups", str(table)]) == USER_ERROR
    assert "groups: expected a group of each class, got none of " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (b"", "expected an entry 'data', got none"),
        (b"seed: 1\n", "expected an entry 'data', got none"),
        (b"data:\n", "expected an entry 'data', got none"),
        (b"- 1\n", "expected an entry 'data', got none"),
        (b"seed: 1\ndata: [1\nloss: 2\n", "expected YAML, got an error in line 3 ("),
        (b"\xff\xfe\x00", "expected a YAML file, got bytes that are no text in UTF-8, UTF-16 or Windows-1252; save"),
        (b"data: digit\n", "data: expected a benchmark and its options, as rezsl fit writes them, got digit; correct"),
        (b"data: {class_path: rezsl.cli.choices.digits, init_args: {unsen: [1]}}", "data: expected a benchmark"),
    ],
)
def test_a_config_that_says_nothing_of_the_data_is_named(
    run: Path, tmp_path: Path, config: bytes, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("model.json", "model.safetensors"):
        (tmp_path / name).symlink_to(run / name)
    (tmp_path / "config.yaml").write_bytes(config)
    line = error_of(capsys, "evaluate", tmp_path)
    assert line.startswith(f"{tmp_path / 'config.yaml'}: {message}")
    assert len(line) < 400
    assert main(["evaluate", str(tmp_path), "--data", "digits"]) == 0


def test_predict_among_classes_that_no_training_saw(
    run: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    semantics = load_digits().semantics
    table = tmp_path / "other.csv"
    with table.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["class", *reversed(semantics.attributes)])
        for name, row in (("zero", 0), ("one", 1), ("nine", 9)):
            writer.writerow([name, *reversed(semantics.values[row].tolist())])
    capsys.readouterr()
    assert main(["predict", str(run), str(images), "--classes", str(table), "--top=2", "--format=csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 6
    assert [row["rank"] for row in rows[:2]] == ["1", "2"]
    assert {row["name"] for row in rows} <= {"zero", "one", "nine"}
    assert {row["seen"] for row in rows} == {"false"}
    assert main(["predict", str(run), str(images / "0.png"), "--format=json"]) == 0
    (answer,) = json.loads(capsys.readouterr().out)
    assert answer["input"].endswith("0.png")
    assert len(answer["classes"]) == 5
    assert main(["predict", str(run), str(images)]) == 0
    assert "probability" in capsys.readouterr().out


def test_predict_at_another_gamma_or_among_unseen_classes_alone(
    run: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def seen(*options: str) -> list[bool]:
        capsys.readouterr()
        assert main(["predict", str(run), str(images), "--top=1", "--format=json", *options]) == 0
        return [answer["classes"][0]["seen"] for answer in json.loads(capsys.readouterr().out)]

    assert all(seen("--gamma=-1000"))
    assert not any(seen("--gamma=1000"))
    assert not any(seen("--unseen-only", "--gamma=-1000"))
    assert main(["predict", str(run), str(images), "--gamma=nan"]) == 2
    assert "--gamma: expected a number, got nan" in capsys.readouterr().err


def test_a_device_that_is_not_there_is_named(run: Path, images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = "expected a device of this machine, got 'nowhere'"
    commands: list[list[str | Path]] = [
        ["predict", run, images],
        ["explain", run, images / "0.png"],
        ["evaluate", run],
        ["report", run],
        ["play", run],
    ]
    for command in commands:
        line = error_of(capsys, *command, "--device", "nowhere")
        assert line.startswith(f"--device: {expected}")
        assert line.endswith("; use auto or cpu")
    for without_numbers_or_package in ("meta", "hpu", "", "cuda:x"):
        line = error_of(capsys, "predict", run, images, "--device", without_numbers_or_package)
        assert line.startswith(f"--device: expected a device of this machine, got '{without_numbers_or_package}' (")
    assert main(["predict", str(run), str(images), "--device", "cpu", "--top", "1"]) == 0


def test_images_of_something_else_are_refused(
    run: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (12, 8, 8), dtype=np.uint8)
    for number, pixels in enumerate(noise):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    capsys.readouterr()
    assert main(["predict", str(run), str(tmp_path), str(images), "--format=json"]) == 0
    answers = json.loads(capsys.readouterr().out)
    assert [answer["far"] for answer in answers] == [answer["strangeness"] > 0 for answer in answers]
    refused = [answer["input"] for answer in answers if answer["far"]]
    assert len(refused) >= 10
    assert not any(str(images) in name for name in refused)
    assert main(["predict", str(run), refused[0], "--format=csv", "--top=1"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["far"], float(row["strangeness"]) > 0) == ("true", True)
    assert main(["predict", str(run), refused[0]]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "far from every description" in shown
    assert "%" not in shown
    drawn = str(tmp_path / "why.pdf")
    assert main(["explain", str(run), refused[0], "-o", drawn]) == 0
    said = "far from every description, so predict names no class; the nearest are "
    assert capsys.readouterr().out.startswith(f"{refused[0]}: {said}")
    assert main(["explain", str(run), refused[0], "-o", drawn, "--format=json"]) == 0
    explained = json.loads(capsys.readouterr().out)
    assert [*explained][:3] == ["input", "strangeness", "far"]
    assert explained["far"]
    assert main(["explain", str(run), str(images / "0.png"), "-o", drawn]) == 0
    assert said not in capsys.readouterr().out
    assert main(["evaluate", str(run), "--foreign", str(tmp_path)]) == 0
    accepted = 100 * (len(noise) - len(refused)) / len(noise)
    assert f"Of the foreign images, {accepted:.1f}\N{NO-BREAK SPACE}% are accepted." in capsys.readouterr().out


def test_predict_imports_nothing_that_takes_seconds(run: Path, images: Path) -> None:
    slow = "{'transformers', 'torchmetrics', 'scipy', 'matplotlib', 'lightning_fabric', 'kornia', 'torch._dynamo', 'sympy'}"
    command = ["predict", str(run), str(images / "0.png")]
    program = f"import sys; from rezsl.cli import main; main({command}); sys.stderr.write(' '.join({slow} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")


def test_predict_from_feature_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:

    semantics = load_digits().semantics
    scaler = FeatureScaler(5)
    save_model(ZeroShotClassifier(scaler, LinearRegressor(5, semantics), semantics, ["0"]), tmp_path / "run")
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).normal(size=(2, 5)))
    capsys.readouterr()
    assert main(["predict", str(tmp_path / "run"), str(tmp_path / "rows.npy"), "--format=json", "--top=1"]) == 0
    assert [item["input"].split()[-1] for item in json.loads(capsys.readouterr().out)] == ["0", "1"]
    np.save(tmp_path / "bad.npy", np.full((2, 5), np.nan))
    np.save(tmp_path / "objects.npy", np.array([{}, {}], dtype=object), allow_pickle=True)
    assert "bad.npy row 0: expected finite features, got NaN" in error_of(
        capsys, "predict", tmp_path / "run", tmp_path / "bad.npy"
    )
    assert "objects.npy: expected an array of numbers, got a damaged file" in error_of(
        capsys, "predict", tmp_path / "run", tmp_path / "objects.npy"
    )
    assert "expected features of 5 dimensions" not in capsys.readouterr().out
    np.save(tmp_path / "large.npy", np.full((2, 5), 1e300))
    assert "large.npy row 0: expected finite features, got NaN" in error_of(
        capsys, "predict", tmp_path / "run", tmp_path / "large.npy"
    )
    Image.new("L", (8, 8)).save(tmp_path / "image.png")
    assert "this model expects feature vectors of 5 numbers" in error_of(
        capsys, "predict", tmp_path / "run", tmp_path / "image.png"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fot"], "unknown command 'fot' (did you mean fit?); commands: demo, fit, "),
        (["fit"], "expected --data NAME, got none; see rezsl fit --help"),
        (["fit", "--data"], "--data: expected a value, got none; see rezsl fit --help"),
        (["fit", "--data", "digits", "more"], "unexpected argument 'more'; names of options begin with --; see rezsl fit --help"),
        (["predict", "run"], "expected IMAGES, got none; see rezsl predict --help"),
        (["fit", "--data", "digits", "--seeed", "1"], "unknown option --seeed (did you mean --seed?); see rezsl fit --help"),
        (["fit", "--data", "digits", "--max-epoch", "1"], "unknown option --max-epoch (did you mean --max-epochs?)"),
        (["fit", "--data", "digit"], "--data: unknown 'digit' (did you mean digits?); expected apy, awa2, cub, datasets, digits, flowers"),
        (["fit", "--data", "digits", "--model", "linnear"], "--model: unknown 'linnear' (did you mean linear?)"),
        (["fit", "--data", "digits", "--loss", "MSE"], "--loss: unknown 'MSE' (did you mean MSELoss?); expected BMCLoss, "),
        (["fit", "--data", "digits", "--loss", "nope.Loss"], "--loss: expected a class in a module that can be imported, got no module 'nope'; for a module of the current folder add --import nope"),
        (["fit", "--data", "digits", "--loss.class-power=x"], "--loss.class-power: expected a number, got x"),
        (["fit", "--data", "digits", "--loss.memory=all"], "--loss.memory: expected one of batch, running, ema, got all"),
        (["fit", "--data", "digits", "--model", "attention", "--model.hidden-dim=x"], "--model.hidden-dim: expected a whole number, got x"),
        (["fit", "--data", "digits", "--model", "mlp", "--model.hiden-dim=3"], "unknown option --model.hiden-dim of mlp (did you mean --model.hidden-dim?); see rezsl fit --model.help mlp"),
        (["fit", "--data", "digits", "--model", "linear", "--model.region-dim=3"], "unknown option --model.region-dim of linear; see rezsl fit --model.help linear"),
        (["fit", "--data", "digits", "--model.hidden-dim=3"], "--model.hidden-dim: expected --model NAME before its options, got none"),
        (["fit", "--data", "digits", "--backbone.trainable-stages", "2"], "--backbone.trainable-stages: expected --backbone NAME before its options, got none"),
        (["fit", "--data", "digits", "--backbone.source=x"], "--backbone.source: expected --backbone NAME before its options, got none"),
        (["fit", "--data.root", "x", "--data", "folder"], "--data.root: expected --data NAME before its options, got none"),
        (["fit", "--data.name", "x"], "--data: expected --data NAME before its options, got none"),
        (["fit", "--data", "digits", "--centered", "maybe"], "--centered: expected one of true, false, auto, got maybe"),
        (["fit", "--data", "digits", "--mixup", "maybe"], "--mixup: expected a number, or auto, got maybe"),
        (["fit", "--data", "digits", "--folds", "maybe"], "--folds: expected a whole number, or auto, got maybe"),
        (["fit", "--data", "folder"], "expected --data.root of folder, got none; see rezsl fit --data.help folder"),
        (["fit", "--data", "digits", "--backbone", "pretrained", "--backbone.image-size=x"], "--backbone.image-size: expected a whole number, got x"),
        (["fit", "--data", "digits", "--augmentation.rotation=x"], "--augmentation.rotation: expected a number, got x"),
        (["fit", "--data", "digits", "--augmentation", "none"], "--augmentation: expected null, or a class with its module such as package.module.Class, got 'none'"),
        (["evaluate", "run", "--data", "folder"], "expected --data.root of folder, got none; see rezsl evaluate --data.help folder"),
        (["fit", "--data.help", "digit"], "--data.help: unknown 'digit' (did you mean digits?)"),
        (["fit", "--data", "digits", "--data.unseen=[a]"], "--data.unseen: expected a whole number, got a"),
        (["fit", "--data", "digits", "--seed", "one"], "--seed: expected a whole number, got one; see rezsl fit --help"),
        (["fit", "--data", "folder", "--data.rot", "x"], "unknown option --data.rot of folder (did you mean --data.root?); see rezsl fit --data.help folder"),
        (["fit", "--data", "digits", "--loss.class-power=-1"], "--loss.class-power: expected a finite number of at least 0, got -1.0"),
        (["fit", "--data", "digits", "--batches.size=0"], "--batches.size: expected at least 1, got 0"),
        (["fit", "--data", "digits", "--data.unseen=[12]"], "--data.unseen: expected at least one digit of 0 to 9, and not all, got [12]"),
        (["fit", "--data", "digits", "--resume"], "--resume: expected --run-dir as well"),
        (["fit", "--config", "none.yaml"], "--config: expected a file that exists, got "),
        (["fit", "--data", "xlsa17", "--data.root", "/nowhere"], "/nowhere: no such folder; check the path"),
        (["fit", "--data", "folder", "--data.root", "/nowhere"], "/nowhere: no such folder; check the path"),
        (["evaluate", "/nowhere"], "/nowhere: no such folder; check the path"),
        (["extract", "--data", "digits"], "expected --backbone NAME and -o, --output DIR, got none; see rezsl extract --help"),
        (["sweep", "--data", "digits", "--space", "s", "-o", "best.txt"], "-o: expected a name that ends in .yaml or .yml, got best.txt; name it best.yaml"),
    ],
)  # fmt: skip
def test_a_wrong_command_line_ends_in_one_clear_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in error_of(capsys, *arguments)


@pytest.mark.parametrize("given", [None, "ACTIVE"])
def test_threads_that_wait_sleep(given: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    if given is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    monkeypatch.setattr(sys, "argv", ["rezsl", "--version"])
    assert enter() == 0
    assert os.environ["OMP_WAIT_POLICY"] == (given or "PASSIVE")


def test_verbose_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "/nowhere", "--verbose"]) == USER_ERROR
    assert "Traceback" in capsys.readouterr().err


def test_wrong_files_are_named_and_the_run_stays(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in run.iterdir()}
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "empty").mkdir()
    assert "text.png: expected an image, got a file that is none; restore it from a copy" in error_of(
        capsys, "predict", run, tmp_path / "text.png"
    )
    assert "expected a folder with images, found none" in error_of(capsys, "predict", run, tmp_path / "empty")
    assert "holds a finished run" in error_of(capsys, "fit", "--data", "digits", "--run-dir", run)
    assert {path.name: path.stat().st_mtime_ns for path in run.iterdir()} == before


def test_an_attempt_that_failed_leaves_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    for wrong in (
        ["--data.unseen=[12]"],
        ["--loss-weight=-1"],
        ["--scale=0"],
        ["--workers=-1"],
        ["--seed=99999999999"],
        ["--accelerator=gpu"],
        ["--word-vectors=none.npy"],
        ["--model=eszsl"],
    ):
        error_of(capsys, "fit", "--data", "digits", "--run-dir", run, *wrong)
        assert not run.exists()
    run.mkdir()
    error_of(capsys, "fit", "--data", "digits", "--run-dir", run, "--scale=0")
    assert list(run.iterdir()) == []  # it was there before
    assert main(["fit", "--data", "digits", "--run-dir", str(run), *SHORT, *WITHOUT_PAGE]) == 0
    (tmp_path / "file").write_text("")
    line = error_of(capsys, "fit", "--data", "digits", "--run-dir", tmp_path / "file" / "sub")
    assert line == f"--run-dir: expected a directory, got the file {tmp_path / 'file'}; choose another place"


def test_a_full_disk_is_one_line_that_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    line = error_of(capsys, "fit", "--data", "digits", "--run-dir", tmp_path / "run")
    assert line == f"{tmp_path / 'run' / 'config.yaml'}: No space left on device; make room, and start again"


def test_a_config_written_by_hand_is_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("data: digits  # years of work\nmax_epochs: 1\n")
    line = error_of(capsys, "fit", "--config", config, "--run-dir", tmp_path)
    assert line == (
        f"--run-dir: {tmp_path} holds a config.yaml that is not of this run; move it away, or choose another directory"
    )
    assert "years of work" in config.read_text()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected options, one a line such as 'seed: 1', got nothing"),
        (b"- 1\n", "expected options, one a line such as 'seed: 1', got '[1]'"),
        (b"seed: 1\ndata: [1\nloss: 2\n", "expected YAML, got an error in line 3 ("),
        (
            b"seed: 1\nseed: 2\n",
            "expected YAML, got an error in line 2 (the key 'seed' occurs twice); correct the file",
        ),
        (
            b"data: digits\xff\0",
            "expected a YAML file, got bytes that are no text in UTF-8, UTF-16 or Windows-1252; save",
        ),
    ],
)
@pytest.mark.parametrize("resume", [False, True])
def test_a_damaged_config_is_named(
    tmp_path: Path, content: bytes, message: str, resume: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_bytes(content)
    options = ["--run-dir", str(tmp_path), "--resume"] if resume else ["--config", str(tmp_path / "config.yaml")]
    assert error_of(capsys, "fit", *options).startswith(f"{tmp_path / 'config.yaml'}: {message}")


def test_an_unknown_key_of_a_config_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.yaml").write_text("data: digits\nsede: 3\n")
    line = error_of(capsys, "fit", "--config", tmp_path / "run.yaml")
    assert line == "unknown option 'sede' in the configuration (did you mean seed?); see rezsl fit --help"


def test_resuming_what_does_not_know_its_options_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = error_of(capsys, "fit", "--run-dir", tmp_path / "none", "--resume")
    assert line == f"--run-dir: {tmp_path / 'none'} does not exist, so there is nothing to resume; check the path"
    line = error_of(capsys, "fit", "--run-dir", tmp_path, "--resume")
    assert line == f"{tmp_path / 'config.yaml'}: no such file; give the options of the run again, beginning with --data"


def test_names_with_brackets_are_printed_as_they_are(
    run: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = tmp_path / "a[b].png"
    odd.write_bytes((images / "0.png").read_bytes())
    semantics = load_digits().semantics
    rows = [
        ["class", *semantics.attributes],
        *([name, *semantics.values[row].tolist()] for row, name in enumerate(["c[bold]", "d"])),
    ]
    with (tmp_path / "odd.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    capsys.readouterr()
    assert main(["predict", str(run), str(odd), "--classes", str(tmp_path / "odd.csv")]) == 0
    printed = capsys.readouterr().out
    assert "c[bold]" in printed


def test_help_of_a_model_lists_only_what_can_be_set(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["fit", "--model.help", "mlp"])
    printed = capsys.readouterr().out
    assert "--model.hidden-dim" in printed
    assert "region_dim" not in printed
    assert "semantics" not in printed


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "rezsl", *map(str, arguments)], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def test_ctrl_c_and_resume(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = tmp_path / "run"
    process = start(
        "fit", "--data", "digits", "--run-dir", directory, "--max-epochs=500", "--patience=500", "--accelerator=cpu",
        "--batches.per-epoch=10",
    )  # fmt: skip
    until = time.monotonic() + 120
    while not (directory / "history.csv").exists() and time.monotonic() < until:
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED
    assert errors.strip().splitlines()[-1].startswith("rezsl: interrupted; an unfinished run goes on with")
    assert "Traceback" not in errors
    assert {"config.yaml", "history.csv", "model.json", "model.safetensors"} <= {
        path.name for path in directory.iterdir()
    }
    # --resume needs no other option than the directory: the run knows the rest, and notices another seed.
    line = error_of(capsys, "fit", "--run-dir", directory, "--resume", "--seed=7")
    assert "begun with other settings (seed: 0 → 7)" in line


@pytest.mark.parametrize(
    "resume",
    [["--resume"], ["--resume", "true"], ["--resume=true"], ["--resume", "Yes"], ["--resume=false", "--resume"]],
)
def test_resume_may_be_spelled_out(run: Path, resume: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    expected = ["--config", str(run / "config.yaml"), *resume, "--run-dir", str(run), "--seed", "1", "--resume=true"]
    assert prepare([*resume, "--run-dir", str(run), "--seed", "1"]) == expected
    assert "holds a finished run" in error_of(capsys, "fit", *resume, "--run-dir", run)
    assert "--resume: expected --run-dir as well" in error_of(capsys, "fit", "--data", "digits", *resume)


@pytest.mark.parametrize("refusal", [[], ["--resume", "false"], ["--resume=false"], ["--resume", "--resume", "no"]])
def test_not_to_resume_may_be_spelled_out(
    tmp_path: Path, refusal: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "settings.json").write_text("{}")
    line = error_of(capsys, "fit", "--data", "digits", "--run-dir", tmp_path, *refusal)
    assert "holds an unfinished run; add --resume to go on with it" in line


def test_resume_takes_no_other_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = ["--data", "digits", "--run-dir", str(tmp_path), "--resume", "maybe"]
    assert "--resume: expected true or false, got maybe" in error_of(capsys, "fit", *wrong)


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_only_a_run_that_is_kept_can_be_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("rezsl.training.protocol.select", interrupt)
    for options, directory in (([], "runs/digits-1"), (["--run-dir", "mine"], "mine")):
        capsys.readouterr()
        assert main(["fit", "--data", "digits", *options]) == INTERRUPTED
        advice = f"; an unfinished run goes on with rezsl fit --run-dir {directory} --resume"
        assert capsys.readouterr().err.strip() == f"rezsl: interrupted{advice}"


def test_without_a_run_directory_the_next_free_one_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "digits-1").mkdir(parents=True)
    command = [
        "fit",
        "--data",
        "digits",
        "--max-epochs=1",
        "--batches.per-epoch=2",
        "--accelerator=cpu",
        "--report=false",
    ]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("run directory: runs/digits-2 (--run-dir chooses another one)\n")
    assert "next: rezsl predict runs/digits-2 IMAGES…" in printed
    share = r"(\d+\.\d)\N{NO-BREAK SPACE}% of the images of"
    said = re.search(
        rf"^The model refuses images that are far .*: {share} seen .* {share} unseen classes\.$", printed, re.M
    )
    test = json.loads((tmp_path / "runs" / "digits-2" / "metrics.json").read_text())["test"]
    assert said is not None
    assert list(map(float, said.groups())) == pytest.approx(
        [100 * test["false_reject_seen"], 100 * test["false_reject_unseen"]], abs=0.05
    )
    assert (tmp_path / "runs" / "digits-2" / "metrics.json").exists()
    # A run that is refused leaves no directory behind.
    assert main([*command, "--model", "eszsl"]) == USER_ERROR
    assert sorted(entry.name for entry in (tmp_path / "runs").iterdir()) == ["digits-1", "digits-2"]
    # Of processes that start at once each gets a directory of its own; a name of a path stays inside the parent.
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: next_run_directory("../a b/", tmp_path), range(24)))
    assert sorted(made) == sorted(tmp_path / f"a-b-{number}" for number in range(1, 25))


def test_a_demo_goes_on_and_shows_its_table_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def short(data: Benchmark, training: Training, **options: Any) -> FitResult:
        quick = replace(training, max_epochs=1, batches=Batches(per_epoch=2), accelerator="cpu")
        return fit(data, training=quick, progress=False, **options)

    monkeypatch.setattr("rezsl.cli.demo.fit", short)
    directory = tmp_path / "demo"
    command = ["demo", "--run-dir", str(directory)]
    assert f"{directory} does not exist, so there is nothing to resume" in error_of(capsys, *command, "--resume")

    select, begun = protocol.select, []

    def select_once(*arguments: Any, **options: Any) -> Any:
        begun.append(arguments)
        return select(*arguments, **options) if len(begun) == 1 else interrupt()

    with monkeypatch.context() as patch:
        patch.setattr(protocol, "select", select_once)
        assert main(command) == INTERRUPTED
    advice = "; an unfinished demo goes on with the same --run-dir and --resume"
    assert capsys.readouterr().err.strip() == f"rezsl: interrupted{advice}"
    first = (directory / "cross-entropy" / "metrics.json").read_bytes()
    assert not (directory / "mse" / "metrics.json").exists()

    line = error_of(capsys, *command)
    assert f"{directory} holds an earlier demo; add --resume to finish it or to see its table again" in line
    assert "make demo RUN_DIR=DIRECTORY" in line
    assert "trained with another seed; add --seed 0" in error_of(capsys, *command, "--resume", "--seed=1")

    assert main([*command, "--resume"]) == 0
    tables = [capsys.readouterr().out]
    assert (directory / "report.html").exists()
    monkeypatch.setattr("rezsl.cli.demo.leave_report", lambda *_: True)  # the same page, which takes seconds
    assert main([*command, "--resume", "true"]) == 0
    tables.append(capsys.readouterr().out)
    assert "+ ReMSE" in tables[0]
    assert tables[0] == tables[1]
    assert (directory / "cross-entropy" / "metrics.json").read_bytes() == first
    assert (directory / "curve.png").exists()


@pytest.mark.parametrize("resume", [[], ["--resume"]])
def test_a_demo_leaves_other_files_alone(tmp_path: Path, resume: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "curve.png").write_text("years of work")
    assert error_of(capsys, "demo", "--run-dir", tmp_path, *resume) == (
        f"--run-dir: {tmp_path} holds other files; choose another directory"
    )


def test_a_reader_that_stops_early_is_no_error(run: Path, images: Path) -> None:
    with start("predict", run, images, "--format=csv") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()
        assert "Exception" not in process.stderr.read()


def test_a_config_is_laid_over_its_base(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "base.yaml").write_text(
        "data: digits\nloss: {class_path: ReMSELoss, init_args: {class_power: 2}}\nseed: 1\n"
    )
    (tmp_path / "sub" / "middle.yaml").write_text("base: ../base.yaml\nmodel: mlp\noptimization: {momentum: 0.5}\n")
    (tmp_path / "top.yaml").write_text(
        "base: sub/middle.yaml\nloss: {init_args: {semantic_power: 3}}\nmodel: {init_args: {hidden_dim: 7}}\n"
        "optimization: {learning_rate: 0.5}\n"
    )
    settings = parse(parser(), ["--config", str(tmp_path / "top.yaml"), "--seed", "4"]).as_dict()
    assert settings["data"]["class_path"].endswith(".digits")
    assert (settings["loss"]["init_args"]["class_power"], settings["loss"]["init_args"]["semantic_power"]) == (2, 3)
    assert settings["model"]["class_path"].endswith(".mlp")
    assert settings["model"]["init_args"]["hidden_dim"] == 7
    assert (settings["optimization"]["momentum"], settings["optimization"]["learning_rate"]) == (0.5, 0.5)
    assert (settings["seed"], "base" in settings) == (4, False)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("base: none.yaml\n", "run.yaml: base: expected a file, but there is no {}/none.yaml; name it relative to"),
        ("base: [a, b]\n", "run.yaml: base: expected the name of a YAML file, such as base.yaml, got ['a', 'b']"),
        ("base: run.yaml\n", "run.yaml: base: expected another file, got run.yaml, which is laid over this one"),
        ("base: other.yaml\n", "other.yaml: base: expected another file, got run.yaml, which is laid over this one"),
        ("base: list.yaml\n", "list.yaml: expected options, one a line such as 'seed: 1', got '[1]'"),
    ],
)
def test_a_wrong_base_is_named(content: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.yaml").write_text(content)
    (tmp_path / "other.yaml").write_text("base: run.yaml\n")
    (tmp_path / "list.yaml").write_text("- 1\n")
    assert message.format(tmp_path) in error_of(capsys, "fit", "--config", tmp_path / "run.yaml")
