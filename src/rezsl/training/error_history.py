"""The class error matrices of a run's validation, epoch by epoch."""

import io
import zipfile
from pathlib import Path

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from numpy.typing import NDArray

from rezsl.errors import RunDirectoryError
from rezsl.evaluation import Evaluation
from rezsl.files import write_atomically
from rezsl.training.module import ZeroShotModule


class ErrorHistory(Callback):
    """Keeps what tells how fast each semantic of each class is learnt; a resumed run goes on where it left off.

    The file holds ``epochs`` [E], counted from 1, ``errors`` [E, K, S], the true directions ``class_semantics`` [K, S],
    and the names ``classes`` [K] and ``attributes`` [S].

    Args:
        path: NumPy file (``.npz``).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.epochs: list[int] = []
        self.errors: list[NDArray[np.float32]] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Read the epochs that stay."""
        if not self.path.exists():
            return
        try:
            with self.path.open("rb") as stream:
                content = np.load(stream, allow_pickle=False)
                kept = content["epochs"] <= trainer.current_epoch
                self.epochs, self.errors = content["epochs"][kept].tolist(), list(content["errors"][kept])
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise RunDirectoryError(f"{self.path}: not a readable NumPy file; remove it to go on without") from error

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the file with this epoch's matrix; the module has it by now."""
        assert isinstance(pl_module, ZeroShotModule)
        assert pl_module.validation is not None
        self.take(pl_module.validation, trainer.current_epoch + 1)

    def take(self, result: Evaluation, number: int) -> None:
        """Add the matrix after epoch ``number``, counted from 1."""
        self.epochs.append(number)
        self.errors.append(result.error_matrix.float().numpy())
        content = io.BytesIO()
        np.savez(
            content,
            epochs=np.array(self.epochs),
            errors=np.stack(self.errors),
            class_semantics=result.class_semantics.float().numpy(),
            classes=np.array(result.classes),
            attributes=np.array(result.attributes),
        )
        write_atomically(self.path, content.getvalue())
