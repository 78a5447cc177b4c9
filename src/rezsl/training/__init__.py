"""Training under the protocol: settings, the two stages, the loop, and hooks into it."""

from rezsl.errors import needs

with needs("train", "training"):
    import lightning_fabric  # noqa: F401 - the modules below need it
    import rich  # noqa: F401 - the modules below need it

from rezsl.training._assembly import own_randomness, with_word_vectors
from rezsl.training.callbacks import Callback, EpochRecord, Logger, Stage
from rezsl.training.loop import train_stage
from rezsl.training.optimization import Optimization
from rezsl.training.protocol import FitResult, Selection, Setup, fit, refit, select
from rezsl.training.run import RunDirectory
from rezsl.training.selection import Choice
from rezsl.training.settings import Augmentation, Batches, Training

__all__ = [
    "Augmentation",
    "Batches",
    "Callback",
    "Choice",
    "EpochRecord",
    "FitResult",
    "Logger",
    "Optimization",
    "RunDirectory",
    "Selection",
    "Setup",
    "Stage",
    "Training",
    "fit",
    "own_randomness",
    "refit",
    "select",
    "train_stage",
    "with_word_vectors",
]
