"""Hooks into a training: the base class of callbacks, and the records that they receive."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from rezsl.classifier import ZeroShotClassifier
from rezsl.evaluation import Evaluation


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

    def save(self) -> None:
        """Write what was recorded."""

    def finalize(self, status: str) -> None:
        """Close the log."""
