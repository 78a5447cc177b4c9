"""The records of a stage: its training state, and the callbacks for its files, its progress bar and its logger."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from safetensors import safe_open
from torch import Tensor

from rezsl.errors import RunDirectoryError
from rezsl.evaluation import save_predictions
from rezsl.files import read_csv, read_npz, reading, write_csv, write_npz, write_tensors
from rezsl.functional.statistics import quantiles, spread
from rezsl.metrics import metrics_in
from rezsl.training.callbacks import BestEpoch, Callback, EpochRecord, Logger, Stage
from rezsl.training.loggers import heat_map, log_image

TENSOR = "__tensor__"

SHOWN = 0.995
"""The share of the cells of the first epoch's error matrix that the colours of its image tell apart."""

MOST_CELLS = 1 << 22
"""The most cells of an epoch's error matrix that are recorded."""

LONGEST_LABEL = "fold 4 of 4, mixup 1, centered"
"""The label to whose length those of folds are filled up, so that their bars stand below each other in 80 columns."""


class Logging(Callback):
    """Passes the metrics of each epoch to a logger of Lightning, under names such as ``select/H``.

    A logger that takes images also gets the class error matrix of each validation. The colours of all epochs have one
    scale, which ends at the largest errors of the first epoch, so that a reader sees the errors fall.
    """

    def __init__(self, logger: Logger) -> None:
        self.logger = logger
        self.largest = 0.0

    def on_epoch_end(self, stage: Stage, record: EpochRecord) -> None:
        metrics = {**record.metrics, "learning_rate": record.learning_rate, "seconds": record.seconds}
        self.logger.log_metrics({f"{stage.name}/{name}": value for name, value in metrics.items()}, record.epoch)
        if record.validation is not None:
            matrix = record.validation.error_matrix
            self.largest = self.largest or float(quantiles(matrix.reshape(-1, 1), (SHOWN,)))
            log_image(self.logger, f"{stage.name}/class_errors", heat_map(matrix, self.largest), record.epoch)

    def on_training_end(self, stage: Stage) -> None:
        self.logger.save()

    def state_dict(self) -> dict[str, Any]:
        return {"largest": self.largest}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.largest = state.get("largest", 0.0)


class History(Callback):
    """A CSV file with a row per epoch; a resumed run continues after the epochs of its checkpoint."""

    COLUMNS = (
        "stage", "protocol", "epoch", "seconds", "learning_rate", "total", "classification", "regression",
        *(metric.name for metric in metrics_in("history")),
    )  # fmt: skip

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[list[str]] = []

    def on_training_start(self, stage: Stage) -> None:
        if not self.path.exists():
            return
        remedy = "the file is damaged, move it away to go on without them"
        header, rows = read_csv(self.path, RunDirectoryError, self.COLUMNS, remedy)
        with reading(self.path, "the rows of earlier epochs", RunDirectoryError, remedy):
            found = [dict(zip(header, cells, strict=True)) for _, cells in rows]
            kept = [row for row in found if row["stage"] != stage.name or int(row["epoch"]) <= stage.epoch]
        self.rows = [[row[name] for name in self.COLUMNS] for row in kept]

    def on_epoch_end(self, stage: Stage, record: EpochRecord) -> None:
        row = {
            "stage": stage.name,
            "protocol": stage.classifier.protocol,
            "epoch": str(record.epoch),
            "seconds": f"{record.seconds:.2f}",
            "learning_rate": f"{record.learning_rate:.4g}",
            **{name: f"{value:.6g}" for name, value in record.metrics.items()},
        }
        self.rows.append([row.get(name, "") for name in self.COLUMNS])
        write_csv(self.path, self.COLUMNS, self.rows)


class ErrorHistory(Callback):
    """The class error matrix of the validation after each epoch, which shows how fast each attribute is learnt.

    The file holds ``epochs`` [E], counted from 1, ``errors`` [E, K, S], the true directions ``class_semantics`` [K, S],
    and the names ``classes`` [K] and ``attributes`` [S]. Of a matrix of more than :data:`MOST_CELLS` cells it holds
    fewer classes, spread evenly over all.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.epochs: list[int] = []
        self.errors: list[NDArray[np.float32]] = []

    def on_training_start(self, stage: Stage) -> None:
        if self.path.exists():
            remedy = "remove the file to go on without it"
            content = read_npz(self.path, RunDirectoryError, "the errors of earlier epochs", remedy)
            kept = content["epochs"] <= stage.epoch
            self.epochs, self.errors = content["epochs"][kept].tolist(), list(content["errors"][kept])

    def on_epoch_end(self, stage: Stage, record: EpochRecord) -> None:
        validation = record.validation
        if validation is None:
            return
        rows = spread(torch.arange(len(validation.classes)), max(1, MOST_CELLS // len(validation.attributes)))
        self.epochs.append(record.epoch)
        self.errors.append(validation.error_matrix[rows].float().numpy())
        arrays = {
            "epochs": np.array(self.epochs),
            "errors": np.stack(self.errors),
            "class_semantics": validation.class_semantics[rows].float().numpy(),
            "classes": np.array([validation.classes[row] for row in rows.tolist()]),
            "attributes": np.array(validation.attributes),
        }
        write_npz(self.path, arrays)


class ValidationPredictions(Callback):
    """A file with the predictions of the validation images at the epoch that ``best`` has chosen so far.

    Args:
        path: the file; see :func:`rezsl.evaluation.save_predictions`.
        best: a callback before this one, which chooses the epoch.
        index: position of each validation image in the benchmark, ``[N]``.
    """

    def __init__(self, path: Path, best: BestEpoch, index: Tensor) -> None:
        self.path, self.best, self.index = path, best, index

    def on_epoch_end(self, stage: Stage, record: EpochRecord) -> None:
        # The choice only ever moves to the epoch that has just ended, so that earlier predictions need not be kept.
        if self.best.choice is not None and self.best.choice.epochs == record.epoch and record.validation is not None:
            save_predictions(self.path, record.validation, self.index)


class ProgressBar(Callback):
    """One progress bar per stage, over its epochs; only a terminal shows it while it runs."""

    def __init__(self, console: Console) -> None:
        self.bar = Progress(
            TextColumn("{task.description}"), BarColumn(8), MofNCompleteColumn(), TextColumn("epochs"),
            TimeElapsedColumn(), TextColumn("{task.fields[metrics]}"), console=console,
        )  # fmt: skip

    def on_training_start(self, stage: Stage) -> None:
        width = len(LONGEST_LABEL if stage.label.startswith("fold") else "select")
        self.bar.add_task(
            f"{stage.label or stage.name:<{width}}", total=stage.epochs, completed=stage.epoch, metrics=""
        )
        self.bar.start()

    def on_epoch_end(self, stage: Stage, record: EpochRecord) -> None:
        text = f"loss {record.losses['total']:.2f}"
        if record.validation is not None:
            samples = "test (oracle protocol) " if stage.classifier.protocol == "oracle" else "validation "
            # A fold is one of the validation, and its line would be too long.
            text += f" {'' if stage.label.startswith('fold') else samples}H {100 * record.metrics['H']:.1f} %"
        self.bar.update(self.bar.task_ids[0], completed=record.epoch, metrics=text)

    def on_training_end(self, stage: Stage) -> None:
        self.bar.stop()


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write nested lists and dictionaries of tensors, numbers and strings; the file is always complete.

    No pickle is used: tensors are written as safetensors, and everything else as JSON in the metadata of that file.
    """
    tensors: dict[str, Tensor] = {}

    def reference(value: Any) -> dict[str, str]:
        if not isinstance(value, Tensor):
            raise TypeError(f"a checkpoint holds tensors, numbers, strings, lists and dictionaries, got {type(value)}")
        tensors[str(len(tensors))] = value
        return {TENSOR: str(len(tensors) - 1)}

    structure = json.dumps(state, default=reference)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tensors(path, tensors, metadata={"structure": structure})


def read_checkpoint(path: Path, parts: Sequence[str] = ()) -> dict[str, Any]:
    """Read a training state that has the named parts; tuples come back as lists."""
    with (
        reading(path, "a checkpoint", RunDirectoryError, "move it away to train this stage again"),
        safe_open(path, framework="pt") as file,
    ):

        def restore(item: dict[str, Any]) -> Any:
            if item.keys() == {TENSOR}:
                return file.get_tensor(item[TENSOR])
            # JSON has no whole numbers as keys, but the state of an optimizer has.
            return {int(key) if key.isdigit() else key: value for key, value in item.items()}

        state: dict[str, Any] = json.loads(file.metadata()["structure"], object_hook=restore)
        for part in parts:
            state[part]
    return state


def save_training(path: Path, stage: Stage, parts: dict[str, Any], callbacks: Sequence[Callback]) -> None:
    """Write the training state after an epoch; ``parts`` are objects with a ``state_dict``."""
    state = {
        "stage": {"epoch": stage.epoch, "step": stage.step, "stopped": stage.stopped},
        "callbacks": [(type(callback).__name__, callback.state_dict()) for callback in callbacks],
    }
    write_checkpoint(path, state | {name: part.state_dict() for name, part in parts.items()})


def restore_training(state: dict[str, Any], stage: Stage, parts: dict[str, Any], callbacks: Sequence[Callback]) -> None:
    """Continue from a training state that was read; a callback that it does not contain begins without one."""
    for name, value in state["stage"].items():
        setattr(stage, name, value)
    for name, part in parts.items():
        part.load_state_dict(state[name])
    for callback in callbacks:
        kept = next((pair for pair in state["callbacks"] if pair[0] == type(callback).__name__), None)
        if kept is not None:
            state["callbacks"].remove(kept)
            callback.load_state_dict(kept[1])
