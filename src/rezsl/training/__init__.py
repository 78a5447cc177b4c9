"""Training under the protocol: settings, the two stages, the loop, and hooks into it."""

from rezsl.errors import needs

with needs("train", "training"):
    import lightning_fabric  # noqa: F401 - the modules below need it
    import rich  # noqa: F401 - the modules below need it

from rezsl.training._assembly import SMALL_PIXELS, with_word_vectors
from rezsl.training.calibration import KEPT
from rezsl.training.callbacks import FEW_CLASSES, Callback, Choice, EpochRecord, Logger, Stage
from rezsl.training.launching import is_first_process, launched
from rezsl.training.loggers import LOGGERS
from rezsl.training.loop import train_stage
from rezsl.training.optimization import Optimization
from rezsl.training.protocol import (
    AUTO_FOLDS,
    FitResult,
    Setup,
    fit,
    refit,
    select,
    selection_splits,
    train_classifier,
)
from rezsl.training.run import RunDirectory, next_run_directory
from rezsl.training.settings import Augmentation, Batches, Training

__all__ = [
    "AUTO_FOLDS",
    "FEW_CLASSES",
    "KEPT",
    "LOGGERS",
    "SMALL_PIXELS",
    "Augmentation",
    "Batches",
    "Callback",
    "Choice",
    "EpochRecord",
    "FitResult",
    "Logger",
    "Optimization",
    "RunDirectory",
    "Setup",
    "Stage",
    "Training",
    "fit",
    "is_first_process",
    "launched",
    "next_run_directory",
    "refit",
    "select",
    "selection_splits",
    "train_classifier",
    "train_stage",
    "with_word_vectors",
]
