"""Training under the protocol: the only room that imports Lightning."""

from rezsl.errors import needs

with needs("train", "training"):
    import lightning.fabric  # noqa: F401 - the modules below need it
    import rich  # noqa: F401 - the modules below need it

from rezsl.training.augmentation import Augmentation
from rezsl.training.batches import Batches
from rezsl.training.callbacks import Choice
from rezsl.training.optimization import Optimization
from rezsl.training.protocol import FitResult, Selection, fit, refit, select
from rezsl.training.training import Training

__all__ = [
    "Augmentation",
    "Batches",
    "Choice",
    "FitResult",
    "Optimization",
    "Selection",
    "Training",
    "fit",
    "refit",
    "select",
]
