"""The directory of a run: its files, its records, and what must not be overwritten."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields
from importlib.metadata import version
from pathlib import Path

import torch

from rezsl.classifier import ZeroShotClassifier, save_model
from rezsl.data import Benchmark, benchmark_fingerprint
from rezsl.errors import RunDirectoryError
from rezsl.evaluation import Evaluation
from rezsl.files import local_path, read_json, write_json
from rezsl.locks import locked
from rezsl.records import differences
from rezsl.training.callbacks import Choice
from rezsl.training.settings import Training
from rezsl.writing import entries, remove_partials


def next_run_directory(name: str, parent: Path = Path("runs")) -> Path:
    """Make and return the empty directory ``<name>-<n>`` with the lowest free n from 1 on.

    Two processes that start at once get different directories, because only one of them can make a directory.

    Raises:
        RunDirectoryError: the directory cannot be made.
    """
    name = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "run"
    number = 0
    while True:
        path = parent / f"{name}-{(number := number + 1)}"
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise RunDirectoryError(
                f"run_dir: {path} cannot be made ({error.strerror}); name another directory with --run-dir"
            ) from error
        return path


class RunDirectory:
    """The paths and the records of a run.

    ``metrics.json`` is written last: a directory that has it holds a finished run and is never written again.

    Args:
        path: the directory; it is made if need be.
        resume: continue the unfinished run in it.

    Attributes:
        config: the command line's options, with which the same command can be run again.
        settings: everything that decided the outcome, with a checksum of the data.
        history: a row per epoch and stage.
        validation_errors: the class error matrix of the validation after each epoch of the selection stage.
        validation_predictions: the predictions of the validation images at the chosen epoch.
        selection: the choice of the selection stage.
        metrics: the validation and test metrics of the finished run.

    Raises:
        RunDirectoryError: it holds a finished run, an unfinished one that is not to be resumed, or other files.
    """

    def __init__(self, path: str | Path, resume: bool = False) -> None:
        self.path = local_path(path)
        self.config, self.settings = self.path / "config.yaml", self.path / "settings.json"
        self.history, self.validation_errors = self.path / "history.csv", self.path / "validation_errors.npz"
        self.validation_predictions = self.path / "validation_predictions.npz"
        self.selection, self.metrics = self.path / "selection.json", self.path / "metrics.json"
        if self.path.exists() and not self.path.is_dir():
            raise RunDirectoryError(f"run_dir: {self.path} is a file; expected a new or empty directory")
        if self.metrics.exists():
            raise RunDirectoryError(
                f"run_dir: {self.path} holds a finished run; choose another directory, or remove it first"
            )
        if not resume and self.path.is_dir() and {path.name for path in entries(self.path)} - {self.config.name}:
            hint = "add --resume to go on with it, or " if self.settings.exists() else ""
            kind = "an unfinished run" if hint else "other files"
            raise RunDirectoryError(f"run_dir: {self.path} holds {kind}; {hint}choose another directory")
        if resume and not self.path.is_dir():
            raise RunDirectoryError(
                f"run_dir: {self.path} does not exist, so there is nothing to resume; check the path"
            )
        self.begun_before, self.begun = self.settings.exists(), False
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunDirectoryError(
                f"run_dir: {self.path} cannot be made ({error.strerror}); choose another directory"
            ) from error

    @classmethod
    @contextmanager
    def held(cls, path: str | Path, resume: bool = False) -> Iterator["RunDirectory"]:
        """Lock the directory for one process, clear it of what killed processes left half written, and yield it.

        Raises:
            RunDirectoryError: another process is at work in it, and everything that the constructor raises.
        """
        path = Path(path)
        if (path.exists() and not path.is_dir()) or (resume and not path.exists()):
            cls(path, resume)  # which says what is wrong, and nothing is made
        with locked(path, "run_dir"):
            for directory in (path, path / "checkpoints"):
                remove_partials(directory, everyone=True)
            yield cls(path, resume)

    def checkpoint(self, stage: str) -> Path:
        """Return the path of the latest training state of a stage."""
        return self.path / "checkpoints" / f"{stage}.safetensors"

    def predictions_of(self, number: int) -> Path:
        """Return the path of the validation predictions of one training of the selection, while it is not over."""
        return self.path / f"validation_predictions-{number}.npz"

    def keep_predictions(self, number: int) -> None:
        """Keep the validation predictions of the training whose settings were chosen, and remove those of others."""
        if (path := self.predictions_of(number)).exists():  # a resumed run may have moved it already
            path.replace(self.validation_predictions)
        for path in self.path.glob("validation_predictions-*.npz"):
            path.unlink()

    def begin(self, data: Benchmark, classifier: ZeroShotClassifier, training: Training) -> None:
        """Record the settings of a new run; of a resumed run, check that they are as they were.

        Raises:
            DataError: an image file is missing.
            RunDirectoryError: the run began with other settings, or their record is damaged.
        """
        if self.begun:
            return
        settings = {
            "rezsl": version("rezsl"),
            "torch": str(torch.__version__),
            "data": benchmark_fingerprint(data),
            "backbone": {"class": type(classifier.backbone).__name__, "arguments": classifier.backbone.arguments},
            "network": {"class": type(classifier.network).__name__, "options": classifier.network.options},
            **asdict(training),
            "loss": str(training.loss),
            "classification": str(training.classification),
        }
        for without_effect in ("workers", "accelerator", "devices", "strategy", "nodes"):
            del settings[without_effect]
        if not self.settings.exists():
            write_json(self.settings, settings)
        elif changed := differences(read_json(self.settings, RunDirectoryError, "the settings of a run"), settings):
            more = f"; and {len(changed) - 3} more" if len(changed) > 3 else ""
            raise RunDirectoryError(
                f"run_dir: {self.path} was begun with other settings ({'; '.join(changed[:3])}{more}); resume with the "
                f"same ones, or choose another directory"
            )
        self.begun = True

    def read_choice(self) -> Choice | None:
        """Return the choice of the selection stage; None if the stage has not ended.

        Raises:
            RunDirectoryError: its record is damaged.
        """
        if not self.selection.exists():
            return None
        record = read_json(self.selection, RunDirectoryError, "the choice of a run", "move it away to select again")
        names = [field.name for field in fields(Choice) if field.default is not None or field.name in record]
        wrong = [name for name in names if not isinstance(record.get(name), int | float)]
        if wrong or not isinstance(record["epochs"], int) or record["epochs"] < 1:
            raise RunDirectoryError(
                f"{self.selection}: expected a number for each of {', '.join(names)}; the file is damaged, move it "
                f"away to select again"
            )
        return Choice(**{name: record[name] for name in names})

    def record_choice(self, choice: Choice) -> None:
        """Write the choice of the selection stage, which ends with it."""
        write_json(self.selection, choice.to_json())

    def finish(self, model: ZeroShotClassifier, choice: Choice, test: Evaluation | None, seconds: float) -> None:
        """Write the model, and then the metrics, which mark the run as finished."""
        save_model(model, self.path)
        metrics = {
            "validation": {"protocol": model.protocol, **choice.to_json()},
            "test": test.to_dict() if test is not None else None,
            "seconds": round(seconds, 2),
        }
        write_json(self.metrics, metrics)

    def forget_beginning(self) -> None:
        """Remove what a run that failed before the end of its first epoch has written, so that it can begin anew.

        A run that was resumed, or that has something to go on with, stays as it is.
        """
        if self.begun_before or self.selection.exists() or self.checkpoint("select").exists():
            return
        predictions = self.path.glob("validation_predictions-*.npz")
        for path in (self.settings, self.history, self.validation_errors, self.validation_predictions, *predictions):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # there is none, or it holds something else
            self.checkpoint("select").parent.rmdir()
