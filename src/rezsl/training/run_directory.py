"""What a run leaves on disk, and what must not be overwritten."""

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from rezsl.errors import RunDirectoryError
from rezsl.files import differences, read_json, write_json
from rezsl.training.callbacks import Choice


class RunDirectory:
    """Paths of a run and the records of its stages.

    ``metrics.json`` is written last: a directory that has it holds a finished run and is never written again.

    Args:
        path: the directory; made if need be.
        resume: go on with an unfinished run in it.

    Raises:
        RunDirectoryError: it holds a finished run, an unfinished one that is not to be resumed, or other files.
    """

    def __init__(self, path: str | Path, resume: bool = False) -> None:
        self.path = Path(path)
        if self.path.exists() and not self.path.is_dir():
            raise RunDirectoryError(f"run_dir: {self.path} is a file; expected a new or empty directory")
        if self.metrics.exists():
            raise RunDirectoryError(
                f"run_dir: {self.path} holds a finished run; choose another directory, or remove it first"
            )
        if not resume and self.path.is_dir() and {entry.name for entry in self.path.iterdir()} - {self.config.name}:
            hint = "add --resume to go on with it, or " if self.settings.exists() else ""
            kind = "an unfinished run" if hint else "other files"
            raise RunDirectoryError(f"run_dir: {self.path} holds {kind}; {hint}choose another directory")
        if resume and not self.path.is_dir():
            raise RunDirectoryError(f"run_dir: {self.path} does not exist, so there is nothing to resume")
        self.made, self.begun_before = not self.path.exists(), self.settings.exists()
        self.begun = False
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunDirectoryError(f"run_dir: {self.path} cannot be made ({error.strerror})") from error

    @property
    def config(self) -> Path:
        """The command line's settings, for the same command to be run again."""
        return self.path / "config.yaml"

    @property
    def settings(self) -> Path:
        """Everything that decided the outcome, and fingerprints of the data."""
        return self.path / "settings.json"

    @property
    def history(self) -> Path:
        """A row per epoch and stage."""
        return self.path / "history.csv"

    @property
    def validation_errors(self) -> Path:
        """The class error matrix of the validation after each epoch of the selection stage."""
        return self.path / "validation_errors.npz"

    @property
    def selection(self) -> Path:
        """What the selection stage chose."""
        return self.path / "selection.json"

    @property
    def metrics(self) -> Path:
        """The figures of the finished run."""
        return self.path / "metrics.json"

    @property
    def tensorboard(self) -> Path:
        """The history for TensorBoard."""
        return self.path / "tensorboard"

    def checkpoint(self, stage: str) -> Path:
        """The latest training state of a stage."""
        return self.path / "checkpoints" / f"{stage}.safetensors"

    def begin(self, settings: dict[str, Any]) -> None:
        """Record the settings of a new run; of a resumed one, check that they are as they were.

        Raises:
            RunDirectoryError: the run began with other settings.
        """
        before = self.read_json(self.settings)
        if before is None:
            self.write_json(self.settings, settings)
        elif changed := differences(before, settings):
            raise RunDirectoryError(
                f"run_dir: {self.path} was begun with other settings ({'; '.join(changed[:5])}); resume with the same "
                f"ones, or choose another directory"
            )
        self.begun = True

    def choice(self) -> Choice | None:
        """The choice that the selection stage has recorded; None if the stage has not ended."""
        record = self.read_json(self.selection)
        return Choice.from_record(record, self.selection) if record is not None else None

    def forget_beginning(self) -> None:
        """Take back what a run that failed before the end of its first epoch has written: it can then be begun anew.

        A run that went on with another one, or has something to go on with, stays as it is.
        """
        if self.begun_before or any(
            path.exists() for path in (self.history, self.selection, self.checkpoint("select"))
        ):
            return
        self.settings.unlink(missing_ok=True)
        shutil.rmtree(self.tensorboard, ignore_errors=True)
        if self.made:
            with suppress(OSError):  # it holds something else by now
                self.path.rmdir()

    def write_json(self, path: Path, content: dict[str, Any]) -> None:
        """Write a record, whole or not at all."""
        write_json(path, content)

    def read_json(self, path: Path) -> dict[str, Any] | None:
        """Read a record; None where there is none yet.

        Raises:
            RunDirectoryError: the file cannot be read, or is damaged.
        """
        if not path.exists():
            return None
        return read_json(path, RunDirectoryError, "a record of the run as a JSON object")
