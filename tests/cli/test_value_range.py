"""A range of values is kept with the run, so that predict and evaluate read photos as the training did."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rezsl.classifier import load_model
from rezsl.cli.main import main
from rezsl.data import load_image_folder
from rezsl.evaluation import evaluate


def write(root: Path, factor: int) -> None:
    """Write six classes of grey images; 8-bit numbers times a factor of 16 are those of a camera of 12 bits."""
    random = np.random.default_rng(0)
    lines = ["class,dark,striped"]
    for row in range(6):
        folder = root / "images" / f"class {row}"
        folder.mkdir(parents=True)
        lines.append(f"class {row},{row / 5 + 0.1},{row % 2 + 0.1}")
        for number in range(5):
            values = np.clip(random.normal(40 * row + 20, 5, (12, 12)) + 30 * (row % 2) * (np.arange(12) % 2), 0, 255)
            Image.fromarray((values.astype("u1").astype("u2") * factor) if factor > 1 else values.astype("u1")).save(
                folder / f"{number}.png"
            )
    (root / "semantics.csv").write_text("\n".join(lines))


def test_a_run_keeps_its_range(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, factor in (("eight", 1), ("twelve", 16)):
        write(tmp_path / name, factor)
    common = ["--data", "folder", "--max-epochs", "1", "--report", "false"]
    assert main(["fit", *common, "--data.root", "eight", "--run-dir", "r8"]) == 0
    capsys.readouterr()
    assert main(["fit", *common, "--data.root", "twelve", "--data.value-range", "0", "4080", "--run-dir", "r12"]) == 0
    assert "value-range" not in capsys.readouterr().out
    # 4080 is 16 times 255, so that the model sees the same images, trains alike and answers alike.
    eight, twelve = (json.loads((tmp_path / run / "model.json").read_text()) for run in ("r8", "r12"))
    assert (eight["sha256"], eight["gamma"]) == (twelve["sha256"], twelve["gamma"])
    answers = []
    for run, photos in (("r8", "eight/images"), ("r12", "twelve/images")):
        assert main(["predict", run, photos, "--format", "json", "--top", "1"]) == 0
        answers.append([entry["classes"] for entry in json.loads(capsys.readouterr().out)])
    assert answers[0] == answers[1]
    assert main(["evaluate", "r12", "--format", "json"]) == 0
    metrics = json.loads(capsys.readouterr().out)
    assert main(["evaluate", "r8", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == metrics
    # Another folder without a range of its own is read as the training was.
    model = load_model("r12")
    same = evaluate(model, load_image_folder("twelve", value_range=(0, 4080)))
    assert evaluate(model, load_image_folder("twelve")).to_dict() == same.to_dict()


def test_fit_says_that_images_look_dark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "twelve", 16)
    assert main(["data", "check", str(tmp_path / "twelve"), "--decode"]) == 0
    note = "if all images have the range 0 to 4095, give --data.value-range 0 4095"
    assert note in " ".join(capsys.readouterr().out.split())
    assert any(note in line for line in load_image_folder(tmp_path / "twelve").notes)
