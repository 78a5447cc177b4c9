"""Hooks into a training: the base class of callbacks, what they receive, and the choice of epochs and γ by one."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from rezsl.classifier import ZeroShotClassifier
from rezsl.evaluation import Evaluation
from rezsl.functional import SeenUnseenCurve

FEW_CLASSES = 5
"""The least number of validation classes per fold on which γ can rest: with fewer, it differs widely between draws."""


@dataclass
class Stage:
    """One training while it runs, as callbacks receive it.

    Attributes:
        name: in :func:`rezsl.fit`, ``select`` for the first training of the selection, ``select-2``, ``select-3`` and
            so on for its others, and ``refit`` for the last training.
        classifier: the model in training. Validation uses a running average of its weights, and so does the result.
        epochs: the most epochs of this stage.
        epoch: the epochs that are finished.
        step: the steps that are finished.
        stopped: whether the stage ends after this epoch.
        label: what the progress bar calls the stage, such as ``fold 1 of 4, mixup 1``; the name where it is empty.
    """

    name: str
    classifier: ZeroShotClassifier
    epochs: int
    epoch: int = 0
    step: int = 0
    stopped: bool = False
    label: str = ""

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


@dataclass(frozen=True)
class Choice:
    """What the selection stage chose, and the validation metrics of that epoch.

    Attributes:
        epochs: number of epochs to train for.
        gamma: γ of calibrated stacking, the best at that epoch. The classifier has another one where γ cannot rest on
            the validation classes, see :func:`rezsl.fit`.
        t1: validation T1.
        harmonic_mean: validation H, at that γ.
        standard_error: of that H, over classes.
        ausuc: validation AUSUC.
        unseen_classes: the number of validation classes that these metrics rest on, over all folds.
        folds: the number of class folds.
        centered: whether the scores are centered, see :class:`rezsl.training.Training`.
        mixup: α of mixup.
        temperature: of the probabilities, see :class:`rezsl.training.Calibration`; the next three are of the limit
            beyond which an input is refused.
        distance_weight: see :class:`rezsl.functional.familiarity.Limit`.
        score_weight: see there.
        limit: see there.
        t1_oracle: under the oracle protocol, the highest T1 of any epoch, which published tables report; otherwise
            None.
        t1_oracle_epoch: the first epoch with that T1, which need not be the chosen one.
    """

    epochs: int
    gamma: float
    t1: float
    harmonic_mean: float
    standard_error: float
    ausuc: float
    unseen_classes: int
    folds: int = 1
    centered: bool = False
    mixup: float = 0.0
    temperature: float = 1.0
    distance_weight: float = 0.0
    score_weight: float = 0.0
    limit: float = 0.0
    t1_oracle: float | None = None
    t1_oracle_epoch: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return every number by its name, without those of the other protocol."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def of(cls, record: EpochRecord) -> "Choice":
        """Return the choice of one epoch, with its validation metrics."""
        validation = record.validation
        assert validation is not None
        return cls(
            epochs=record.epoch,
            gamma=validation.point.gamma,
            t1=validation.t1,
            harmonic_mean=validation.point.harmonic_mean,
            standard_error=validation.harmonic_mean_error,
            ausuc=validation.ausuc,
            unseen_classes=len(validation.unseen_class_accuracy),
        )

    @classmethod
    def over(cls, folds: Sequence["Choice"], curve: SeenUnseenCurve) -> "Choice":
        """Return the choice of one epoch over class folds and the average of their curves."""
        point, count = curve.best(), len(folds)
        return cls(
            epochs=folds[0].epochs,
            gamma=point.gamma,
            t1=sum(fold.t1 for fold in folds) / count,
            harmonic_mean=point.harmonic_mean,
            standard_error=sum(fold.standard_error**2 for fold in folds) ** 0.5 / count,
            ausuc=curve.ausuc,
            unseen_classes=sum(fold.unseen_classes for fold in folds),
            folds=count,
        )

    def settled(self, in_full: bool = False) -> str:
        """Return how the choice was made and what it settled, in words; empty where there is nothing to say.

        Args:
            in_full: name every setting, also where it is the plainest one.
        """
        parts = [f"{self.folds} class folds"] if self.folds > 1 else []
        if in_full:
            parts += [f"centered {str(self.centered).lower()}", f"mixup {self.mixup:g}"]
            return ", ".join(parts)
        parts += ["centered scores"] if self.centered else []
        parts += [f"mixup {self.mixup:g}"] if self.mixup else []
        return ", ".join(parts)

    @property
    def rests_on_few_classes(self) -> bool:
        """Whether a fold has fewer than :data:`FEW_CLASSES` validation classes, on average."""
        return self.unseen_classes < FEW_CLASSES * self.folds

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences that a reader of these metrics should bear in mind."""
        if self.unseen_classes >= FEW_CLASSES:
            return ()
        if self.unseen_classes > 1:
            return (
                f"the choice of epochs rests on {self.unseen_classes} validation classes, so epochs and γ can fit new "
                f"classes badly; give images of more classes, and see --gamma and --unseen-only of rezsl predict",
            )
        return (
            "there is one validation class, so validation T1 is 100 % by construction and the error of H leaves out "
            "how much classes differ; hold out more classes to learn how new ones will fare",
        )


def best_epoch(epochs: Sequence[Choice], highest: bool = False) -> Choice:
    """Return the last epoch whose H is within one standard error of the highest, or the one of the ``highest`` H.

    In the second case the result also has the highest T1, and its epoch.
    """
    best = max(epochs, key=lambda epoch: epoch.harmonic_mean)
    if highest:
        of_t1 = max(epochs, key=lambda epoch: epoch.t1)
        return replace(best, t1_oracle=of_t1.t1, t1_oracle_epoch=of_t1.epochs)
    least = best.harmonic_mean - best.standard_error
    return next(epoch for epoch in reversed(epochs) if epoch.harmonic_mean >= least)


class BestEpoch(Callback):
    """Chooses the last epoch whose validation H is within one standard error of the highest.

    With few validation classes H jumps by many points from epoch to epoch, and the plain maximum is often an early
    epoch that was lucky, far from the end of the learning-rate schedule. Among epochs that do not differ by more than
    one standard error the longest training is taken (the one-standard-error rule of Breiman et al., 1984).

    Args:
        patience: epochs in a row outside that range after which the stage stops.
        highest: choose the highest H itself instead, as published results did on their test classes.
    """

    def __init__(self, patience: int, highest: bool = False) -> None:
        self.patience, self.highest = patience, highest
        self.epochs: list[Choice] = []
        self.curves: list[SeenUnseenCurve] = []

    @property
    def choice(self) -> Choice | None:
        """The choice among the epochs so far."""
        return best_epoch(self.epochs, self.highest) if self.epochs else None

    def on_training_start(self, stage: Stage) -> None:
        """Set γ, and stop at once where a resumed stage had reached its end."""
        choice = self.choice
        if choice is not None:
            stage.classifier.gamma = choice.gamma
            if self.epochs[-1].epochs - choice.epochs >= self.patience:
                stage.stop()

    def on_epoch_end(self, stage: Stage, record: EpochRecord) -> None:
        """Add the epoch to those that can be chosen, set γ, and stop when patience has ended."""
        assert record.validation is not None
        self.epochs.append(Choice.of(record))
        self.curves.append(record.validation.curve)
        self.on_training_start(stage)

    def state_dict(self) -> dict[str, Any]:
        """Return the epochs so far."""
        return {"epochs": [epoch.to_json() for epoch in self.epochs], "curves": [list(curve) for curve in self.curves]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the epochs of a checkpoint."""
        self.epochs = [Choice(**epoch) for epoch in state["epochs"]]
        self.curves = [SeenUnseenCurve(*curve) for curve in state["curves"]]
