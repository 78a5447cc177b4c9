from pathlib import Path

import pytest
import yaml

from rezsl.cli.main import USER_ERROR, main
from tests.cli.test_compare import toy  # noqa: F401 - a fixture, asked for by name

pytestmark = pytest.mark.slow


@pytest.fixture
def config(toy: Path, tmp_path: Path) -> Path:  # noqa: F811 - the fixture
    path = tmp_path / "run.yaml"
    options = {
        "data": {"class_path": "xlsa17", "init_args": {"root": str(toy)}},
        "model": "linear", "max_epochs": 2, "accelerator": "cpu", "batches": {"per_epoch": 2},
    }  # fmt: skip
    path.write_text(yaml.safe_dump(options))
    return path


def space(folder: Path, **entries: object) -> Path:
    path = folder / "space.yaml"
    path.write_text(yaml.safe_dump(entries))
    return path


def test_the_winning_file_is_what_the_best_trial_ran_and_fit_takes_it(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tried, best = (
        space(tmp_path, **{"loss": [None, "MSELoss"], "optimization.learning_rate": [0.001, 0.1]}),
        tmp_path / "best.yaml",
    )
    command = ["sweep", str(config), "--space", str(tried), "--trials", "5", "--max-epochs", "3", "-o", str(best)]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert shown.count("trial ") == 5
    assert "importance" in shown
    found = yaml.safe_load(best.read_text())
    assert found["max_epochs"] == 3
    assert found["loss"] is None or found["loss"]["class_path"] == "rezsl.losses.MSELoss"
    assert found["optimization"]["learning_rate"] in (0.001, 0.1)
    assert (tmp_path / "best.journal").exists()
    # The validation figure that fit selects by is the one the sweep promised.
    promised = best.read_text().splitlines()[0].split("H ")[1].split(" %")[0]
    assert main(["fit", "--config", str(best), "--report=false", "--run-dir", str(tmp_path / "run")]) == 0
    assert f"H {promised} ±" in " ".join(capsys.readouterr().out.split())
    # A study that has its trials is only read.
    assert main(command) == 0
    assert "trial 6" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"max_epoch": [1, 2]}, "space.yaml: max_epoch: unknown option --max-epoch (did you mean --max-epochs?); see rezsl fit --help"),
        ({"loss_weight": {"low": 1, "high": 0.5}}, "space.yaml: loss_weight: expected low below high, got 1 to 0.5; the range is empty"),
        ({"seed": [1, 2]}, "space.yaml: seed: expected an option that may be chosen by validation, got this one"),
        ({"max_epochs": ["two", 3]}, "space.yaml: max_epochs: --max-epochs: expected a whole number, got two"),
    ],
)  # fmt: skip
def test_a_wrong_space_is_told_before_anything_is_trained(
    entries: dict[str, object], message: str, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(["sweep", str(config), "--space", str(space(tmp_path, **entries)), "-o", str(tmp_path / "b.yaml")])
        == USER_ERROR
    )
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert message in line
    assert not list(tmp_path.glob("b.*"))
