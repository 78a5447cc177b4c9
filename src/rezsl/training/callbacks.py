"""Hooks into a training: the class to derive own callbacks from, and the package's own ones."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from rezsl.classifier import ZeroShotClassifier
from rezsl.errors import RunDirectoryError
from rezsl.evaluation import Evaluation
from rezsl.files import read_csv, read_npz, write_csv, write_npz
from rezsl.metrics import metrics_in


@dataclass
class Stage:
    """One training while it runs, as callbacks receive it.

    Attributes:
        name: ``select`` or ``refit`` in :func:`rezsl.fit`.
        classifier: the model in training. Validation uses a running average of its weights, and so does the result.
        epochs: the most epochs of this stage.
        epoch: the epochs that are finished.
        step: the steps that are finished.
        stopped: whether the stage ends after this epoch.
    """

    name: str
    classifier: ZeroShotClassifier
    epochs: int
    epoch: int = 0
    step: int = 0
    stopped: bool = False

    def stop(self) -> None:
        """End the stage after this epoch."""
        self.stopped = True


@dataclass(frozen=True, eq=False)
class EpochRecord:
    """What an epoch showed.

    Attributes:
        epoch: counted from 1.
        seconds: of training and validation.
        learning_rate: of the next step, for the first group of parameters.
        losses: means over the epoch's samples: ``total``, and before weighting ``classification``, ``regression`` and
            ``penalty``; empty for a model in closed form.
        validation: the metrics on the validation samples at their best γ; None in a stage without validation.
    """

    epoch: int
    seconds: float
    learning_rate: float
    losses: Mapping[str, float] = field(default_factory=dict)
    validation: Evaluation | None = None

    @property
    def metrics(self) -> dict[str, float]:
        """Every number by its name: the losses, and the validation metrics (T1, U, S, H, AUSUC, …)."""
        return {**self.losses, **(self.validation.metrics() if self.validation is not None else {})}


class Callback:
    """Methods that a training calls; each does nothing until a subclass overrides it.

    An exception that a method raises ends the training and reaches the caller of :func:`rezsl.fit`.
    """

    def on_training_start(self, stage: Stage) -> None:
        """Called once per stage; in a resumed stage ``stage.epoch`` is the number of epochs before."""

    def on_epoch_start(self, stage: Stage) -> None:
        """Called before the first step of each epoch."""

    def on_epoch_end(self, stage: Stage, record: EpochRecord) -> None:
        """Called after the validation of each epoch; ``stage.stop()`` ends the stage here."""

    def on_training_end(self, stage: Stage) -> None:
        """Called at the end of each stage, also after an exception or Ctrl-C."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs: numbers, strings, tensors, and lists and dictionaries of them."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""


@runtime_checkable
class Logger(Protocol):
    """The part of Lightning's loggers that a training uses; every logger of Lightning has it."""

    def log_metrics(self, metrics: Any, step: Any = None) -> None:
        """Record numbers by name."""

    def log_hyperparams(self, params: Any) -> None:
        """Record settings by name."""

    def save(self) -> None:
        """Write what was recorded."""

    def finalize(self, status: str) -> None:
        """Close the log."""


class Logging(Callback):
    """Passes the metrics of each epoch to a logger of Lightning, under names such as ``select/H``."""

    def __init__(self, logger: Logger) -> None:
        self.logger = logger

    def on_epoch_end(self, stage: Stage, record: EpochRecord) -> None:
        """Log the metrics, the learning rate and the seconds of the epoch."""
        metrics = {**record.metrics, "learning_rate": record.learning_rate, "seconds": record.seconds}
        self.logger.log_metrics({f"{stage.name}/{name}": value for name, value in metrics.items()}, record.epoch)

    def on_training_end(self, stage: Stage) -> None:
        """Write what was logged."""
        self.logger.save()


class History(Callback):
    """A CSV file with a row per epoch; a resumed run continues after the epochs of its checkpoint.

    Args:
        path: the file; rows of other stages in it stay.
    """

    COLUMNS = (
        "stage", "protocol", "epoch", "seconds", "learning_rate", "total", "classification", "regression",
        *(metric.name for metric in metrics_in("history")),
    )  # fmt: skip

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[list[str]] = []

    def on_training_start(self, stage: Stage) -> None:
        """Read the rows that stay.

        Raises:
            RunDirectoryError: the file is damaged.
        """
        if not self.path.exists():
            return
        remedy = "the file is damaged, move it away to go on without them"
        header, rows = read_csv(self.path, RunDirectoryError, self.COLUMNS, remedy)
        try:
            found = [dict(zip(header, cells, strict=True)) for _, cells in rows]
            kept = [row for row in found if row["stage"] != stage.name or int(row["epoch"]) <= stage.epoch]
        except ValueError as error:
            raise RunDirectoryError(f"{self.path}: expected the rows of earlier epochs ({error}); {remedy}") from error
        self.rows = [[row[name] for name in self.COLUMNS] for row in kept]

    def on_epoch_end(self, stage: Stage, record: EpochRecord) -> None:
        """Write the file with this epoch's row."""
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
    and the names ``classes`` [K] and ``attributes`` [S].

    Args:
        path: NumPy file (``.npz``).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.epochs: list[int] = []
        self.errors: list[NDArray[np.float32]] = []

    def on_training_start(self, stage: Stage) -> None:
        """Read the epochs that stay."""
        if self.path.exists():
            remedy = "remove the file to go on without it"
            content = read_npz(self.path, RunDirectoryError, "the errors of earlier epochs", remedy)
            kept = content["epochs"] <= stage.epoch
            self.epochs, self.errors = content["epochs"][kept].tolist(), list(content["errors"][kept])

    def on_epoch_end(self, stage: Stage, record: EpochRecord) -> None:
        """Write the file with this epoch's matrix."""
        validation = record.validation
        if validation is None:
            return
        self.epochs.append(record.epoch)
        self.errors.append(validation.error_matrix.float().numpy())
        arrays = {
            "epochs": np.array(self.epochs),
            "errors": np.stack(self.errors),
            "class_semantics": validation.class_semantics.float().numpy(),
            "classes": np.array(validation.classes),
            "attributes": np.array(validation.attributes),
        }
        write_npz(self.path, arrays)


class ProgressBar(Callback):
    """One progress bar per stage, over its epochs.

    Args:
        console: where it is drawn; only a terminal shows it while it runs.
    """

    def __init__(self, console: Console) -> None:
        self.bar = Progress(
            TextColumn("{task.description:<8}"), BarColumn(), MofNCompleteColumn(), TextColumn("epochs"),
            TimeElapsedColumn(), TextColumn("{task.fields[metrics]}"), console=console,
        )  # fmt: skip

    def on_training_start(self, stage: Stage) -> None:
        """Show the bar."""
        self.bar.add_task(stage.name, total=stage.epochs, completed=stage.epoch, metrics="")
        self.bar.start()

    def on_epoch_end(self, stage: Stage, record: EpochRecord) -> None:
        """Move the bar by an epoch."""
        text = f"loss {record.losses['total']:.3f}"
        if record.validation is not None:
            samples = "test (oracle protocol)" if stage.classifier.protocol == "oracle" else "validation"
            text += f"  {samples} H {100 * record.metrics['H']:.1f} %"
        self.bar.update(self.bar.task_ids[0], completed=record.epoch, metrics=text)

    def on_training_end(self, stage: Stage) -> None:
        """Leave the finished bar on the screen, and give the terminal back."""
        self.bar.stop()
