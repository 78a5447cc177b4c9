"""Loggers by name: what each receives from a run; those whose program is not installed are skipped."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rezsl
from rezsl.data import Benchmark
from rezsl.errors import MissingPackageError
from rezsl.models import LinearRegressor
from rezsl.training import LOGGERS, Training
from rezsl.training.loggers import heat_map, log_image, log_table

TRAINING = Training(max_epochs=2, patience=2)


def trained(data: Benchmark, logger: Any) -> rezsl.training.FitResult:
    return rezsl.fit(data, model=LinearRegressor, training=TRAINING, logger=logger, progress=False)


class Listener:
    """A logger that takes everything, in the words of wandb's."""

    def __init__(self) -> None:
        self.metrics: dict[str, Any] = {}
        self.images: list[tuple[str, Any, int]] = []
        self.tables: dict[str, tuple[list[str], list[list[Any]]]] = {}
        self.end = ""

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        assert not self.end
        self.metrics |= metrics

    def log_image(self, key: str, images: list[Any], step: int) -> None:
        self.images.append((key, images[0], step))

    def log_table(self, key: str, columns: list[str], data: list[list[Any]]) -> None:
        self.tables[key] = columns, data

    def save(self) -> None:
        """Nothing to write."""

    def finalize(self, status: str) -> None:
        self.end = status


def test_a_logger_receives_epochs_images_and_the_test(features: Benchmark) -> None:
    listener = Listener()
    test = trained(features, listener).test
    assert test is not None
    assert listener.metrics["test/H"] == test.point.harmonic_mean
    assert {"select/H", "refit/total", "test/F1_unseen", "test/attribute_R2"} <= {*listener.metrics}
    assert [(name, step) for name, _, step in listener.images] == [("select/class_errors", epoch) for epoch in (1, 2)]
    assert all(pixels.dtype == np.uint8 and pixels.shape[2] == 3 for _, pixels, _ in listener.images)
    columns, rows = listener.tables["test/classes"]
    assert columns == ["class", "side", "accuracy", "error", "f1"]
    assert [row[0] for row in rows] == [*test.classes]
    assert [row[2] for row in rows] == test.class_accuracy.tolist()
    columns, rows = listener.tables["test/attributes"]
    assert (columns, [row[0] for row in rows]) == (["attribute", "error", "r2"], [*test.attributes])
    assert listener.end == "success"


def test_csv_takes_numbers_alone(tmp_path: Path, features: Benchmark) -> None:
    logger = LOGGERS["csv"](tmp_path, "name")
    trained(features, logger)
    (file,) = tmp_path.rglob("metrics.csv")
    assert file.parent.parent == tmp_path / "name"
    assert "test/H" in file.read_text().splitlines()[0]
    assert not log_image(logger, "image", np.zeros((2, 2, 3), np.uint8))
    assert not log_table(logger, "table", ["a"], [[1]])


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "mlflow"])
def test_a_missing_program_is_one_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(package: str) -> None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)

    monkeypatch.setattr("rezsl.training.loggers.import_module", missing)
    message = (
        rf"the logger {name}: expected the package '{name}', which is not installed; pip install 'rezsl\[{name}\]'"
    )
    with pytest.raises(MissingPackageError, match=message):
        LOGGERS[name]()


def needed(name: str) -> Any:
    return pytest.mark.skipif(importlib.util.find_spec(name) is None, reason=f"{name} is not installed")


def in_tensorboard(folder: Path) -> set[str]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: PLC0415

    (run,) = {file.parent for file in folder.rglob("events.out.*")}
    found = EventAccumulator(str(run)).Reload().Tags()
    return {*found["scalars"], *found["images"], *(tag.removesuffix("/text_summary") for tag in found["tensors"])}


def in_mlflow(folder: Path) -> set[str]:
    from mlflow.tracking import MlflowClient  # noqa: PLC0415

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    (run,) = client.search_runs([client.get_experiment_by_name("rezsl").experiment_id])
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    inside = {file.partition("/artifacts/")[2].removesuffix("/00001.png").removesuffix(".csv") for file in files}
    return {*run.data.metrics, *inside}


def in_wandb(folder: Path) -> set[str]:
    (history,) = folder.rglob("*.wandb")
    content = history.read_bytes()
    names = ("select/H", "test/H", "select/class_errors", "test/classes", "test/attributes")
    return {name for name in names if name.encode() in content}


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    ("name", "options", "read"),
    [
        pytest.param("tensorboard", {"root_dir": "."}, in_tensorboard, marks=needed("tensorboard")),
        pytest.param("wandb", {"save_dir": ".", "offline": True}, in_wandb, marks=needed("wandb")),
        pytest.param("mlflow", {"save_dir": "."}, in_mlflow, marks=needed("mlflow")),
    ],
)
def test_programs_record_metrics_images_and_tables(
    name: str,
    options: dict[str, Any],
    read: Callable[[Path], set[str]],
    features: Benchmark,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    logger = LOGGERS[name](**options)
    trained(features, logger)
    if name == "wandb":
        logger.experiment.finish()  # type: ignore[attr-defined]
    expected = {"select/H", "test/H", "select/class_errors", "test/classes", "test/attributes"}
    assert expected <= read(tmp_path)


def test_colours_grow_darker_with_the_error() -> None:
    pixels = heat_map(torch.tensor([[0.0, 1.0, 2.0], [3.0, 9.0, float("nan")]]), largest=3.0)
    size = pixels.shape[1] // 3
    assert pixels.shape == (2 * size, 3 * size, 3)
    assert 480 <= 3 * size < 483
    cells = pixels[::size, ::size].astype(int).sum(axis=2)
    assert cells[0, 0] == 3 * 255
    assert cells[0, 0] > cells[0, 1] > cells[0, 2] > cells[1, 0] == cells[1, 1]
    assert heat_map(torch.zeros(300, 500), 0.0).tolist()[0][0] == [255, 255, 255]
