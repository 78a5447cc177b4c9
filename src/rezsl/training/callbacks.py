"""What happens after each epoch: the choice of the best one, the history file, the progress bar, the checkpoint."""

import csv
import io
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from rezsl.errors import RunDirectoryError
from rezsl.evaluation import Evaluation
from rezsl.files import write_atomically
from rezsl.functional.shapes import Protocol
from rezsl.metrics import metrics_in
from rezsl.training.module import ZeroShotModule


@dataclass(frozen=True)
class Choice:
    """What the selection stage chose, and the validation figures of that epoch.

    Attributes:
        epochs: number of epochs to train for.
        gamma: γ of calibrated stacking, the best at that epoch.
        t1: validation T1.
        harmonic_mean: validation H, at that γ.
        standard_error: of that H, over classes.
        ausuc: validation AUSUC.
        unseen_classes: how many validation classes these figures rest on.
    """

    epochs: int
    gamma: float
    t1: float
    harmonic_mean: float
    standard_error: float
    ausuc: float
    unseen_classes: int

    @classmethod
    def from_record(cls, record: dict[str, Any], path: Path) -> "Choice":
        """The choice that a run has kept in ``path``.

        Raises:
            RunDirectoryError: the record lacks a figure, or one of them is no number.
        """
        names = [field.name for field in fields(cls)]
        wrong = [name for name in names if not isinstance(record.get(name), int | float)]
        if wrong or not isinstance(record["epochs"], int) or record["epochs"] < 1:
            raise RunDirectoryError(
                f"{path}: expected a number for each of {', '.join(names)}; the file is damaged, move it away to "
                f"select again"
            )
        return cls(**{name: record[name] for name in names})

    @property
    def notes(self) -> tuple[str, ...]:
        """What to bear in mind when reading these figures, one sentence each."""
        if self.unseen_classes > 1:
            return ()
        return (
            "there is one validation class, so validation T1 is 100 % by construction and the error of H leaves out "
            "how much classes differ; hold out more classes to learn how new ones will fare",
        )


class BestEpoch(Callback):
    """Chooses the last epoch whose validation H is within one standard error of the highest.

    A handful of validation classes makes H jump by many points from epoch to epoch; the plain maximum is often an
    early lucky one, far from the end of the learning-rate schedule. Among epochs that cannot be told apart the
    longest-trained is taken (the one-standard-error rule of Breiman et al., 1984).

    Args:
        patience: epochs in a row outside that range after which training stops.
        highest: choose the highest H itself instead, as published results did on their test classes.
        watch: told the figures of each epoch; what it raises ends the training.
    """

    def __init__(self, patience: int, highest: bool = False, watch: Callable[["Choice"], None] | None = None) -> None:
        self.patience, self.highest, self.watch = patience, highest, watch
        self.epochs: list[Choice] = []

    @property
    def choice(self) -> Choice | None:
        """The choice among the epochs so far."""
        if not self.epochs:
            return None
        best = max(self.epochs, key=lambda epoch: epoch.harmonic_mean)
        if self.highest:
            return best
        least = best.harmonic_mean - best.standard_error
        return next(epoch for epoch in reversed(self.epochs) if epoch.harmonic_mean >= least)

    @property
    def has_waited(self) -> bool:
        """Whether the patience is spent."""
        return self.choice is not None and self.epochs[-1].epochs - self.choice.epochs >= self.patience

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop at once where the checkpoint is that of the last epoch."""
        trainer.should_stop = trainer.should_stop or self.has_waited

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take this epoch's figures in; the module has them by now."""
        assert isinstance(pl_module, ZeroShotModule)
        assert pl_module.validation is not None
        self.take(pl_module.validation, trainer.current_epoch + 1)
        trainer.should_stop = trainer.should_stop or self.has_waited

    def take(self, result: Evaluation, number: int) -> None:
        """Take in the validation figures after epoch ``number``, counted from 1."""
        best = result.oracle
        self.epochs.append(
            Choice(
                epochs=number,
                gamma=best.gamma,
                t1=result.t1,
                harmonic_mean=best.harmonic_mean,
                standard_error=result.harmonic_mean_error,
                ausuc=result.ausuc,
                unseen_classes=len(result.unseen_class_accuracy),
            )
        )
        if self.watch is not None:
            self.watch(self.epochs[-1])

    def state_dict(self) -> dict[str, Any]:
        """The epochs so far, for a checkpoint."""
        return {"epochs": [asdict(epoch) for epoch in self.epochs]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the epochs of a checkpoint."""
        self.epochs = [Choice(**epoch) for epoch in state_dict["epochs"]]


class History(Callback):
    """A CSV file with a row per epoch; a resumed run goes on where its checkpoint left off.

    Args:
        path: the file; rows of other stages in it are kept.
        stage: name of this stage.
        protocol: ``oracle`` where the figures are of test images.
    """

    COLUMNS = (
        "stage", "protocol", "epoch", "seconds", "learning_rate", "total", "classification", "regression",
        *(metric.name for metric in metrics_in("history")),
    )  # fmt: skip

    def __init__(self, path: Path, stage: str, protocol: Protocol) -> None:
        self.path, self.stage, self.protocol = path, stage, protocol
        self.rows: list[dict[str, Any]] = []
        self.started = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Read the rows that stay.

        Raises:
            RunDirectoryError: the file is damaged.
        """
        if not self.path.exists():
            return
        try:
            with self.path.open(newline="", encoding="utf-8") as stream:
                rows = [{name: row[name] or "" for name in self.COLUMNS} for row in csv.DictReader(stream)]
            self.rows = [
                row for row in rows if row["stage"] != self.stage or int(row["epoch"]) <= trainer.current_epoch
            ]
        except (OSError, csv.Error, KeyError, ValueError) as error:
            raise RunDirectoryError(
                f"{self.path}: expected the rows of earlier epochs ({type(error).__name__}: {error}); the file is "
                f"damaged, move it away to go on without them"
            ) from error

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self.started = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the file with this epoch's row."""
        figures = {name.split("/")[-1]: f"{float(value):.6g}" for name, value in trainer.callback_metrics.items()}
        row = {
            "stage": self.stage,
            "protocol": self.protocol,
            "epoch": trainer.current_epoch + 1,
            "seconds": f"{time.perf_counter() - self.started:.2f}",
            "learning_rate": f"{trainer.optimizers[0].param_groups[0]['lr']:.4g}",
        }
        self.rows.append(row | {name: figures[name] for name in self.COLUMNS if name in figures})
        text = io.StringIO()
        writer = csv.DictWriter(text, self.COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_atomically(self.path, text.getvalue())


class EpochBar(Callback):
    """One progress bar per stage, over its epochs.

    Args:
        stage: what stands before the bar.
        console: where it is drawn; only a terminal shows it while it runs.
        protocol: ``oracle`` where the figures are of test images.
    """

    def __init__(self, stage: str, console: Console, protocol: Protocol) -> None:
        self.stage, self.scored = stage, "test (oracle protocol)" if protocol == "oracle" else "validation"
        self.progress = Progress(
            TextColumn("{task.description:<8}"), BarColumn(), MofNCompleteColumn(), TextColumn("epochs"),
            TimeElapsedColumn(), TextColumn("{task.fields[figures]}"), console=console,
        )  # fmt: skip

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the bar."""
        self.progress.add_task(self.stage, total=trainer.max_epochs, completed=trainer.current_epoch, figures="")
        self.progress.start()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Move on by an epoch."""
        metrics = trainer.callback_metrics
        figures = f"loss {float(metrics['train/total']):.3f}"
        if "val/H" in metrics:
            figures += f"  {self.scored} H {100 * float(metrics['val/H']):.1f} %"
        self.progress.update(self.progress.task_ids[0], completed=trainer.current_epoch + 1, figures=figures)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the finished bar standing."""
        self.progress.stop()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Give the terminal back."""
        self.progress.stop()


class LatestCheckpoint(Callback):
    """The training state after each epoch, in one file that is always whole.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Replace the file; comes after the other callbacks, whose state it includes."""
        trainer.save_checkpoint(self.path)
