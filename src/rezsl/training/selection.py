"""The choice of the number of epochs and γ by the validation."""

from dataclasses import asdict, dataclass
from typing import Any

from rezsl.training.callbacks import Callback, EpochRecord, Stage


@dataclass(frozen=True)
class Choice:
    """What the selection stage chose, and the validation metrics of that epoch.

    Attributes:
        epochs: number of epochs to train for.
        gamma: γ of calibrated stacking, the best at that epoch.
        t1: validation T1.
        harmonic_mean: validation H, at that γ.
        standard_error: of that H, over classes.
        ausuc: validation AUSUC.
        unseen_classes: the number of validation classes that these metrics rest on.
    """

    epochs: int
    gamma: float
    t1: float
    harmonic_mean: float
    standard_error: float
    ausuc: float
    unseen_classes: int

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

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences that a reader of these metrics should bear in mind."""
        if self.unseen_classes > 1:
            return ()
        return (
            "there is one validation class, so validation T1 is 100 % by construction and the error of H leaves out "
            "how much classes differ; hold out more classes to learn how new ones will fare",
        )


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

    def on_training_start(self, stage: Stage) -> None:
        """Set γ, and stop at once where a resumed stage had reached its end."""
        choice = self.choice
        if choice is not None:
            stage.classifier.gamma = choice.gamma
            if self.epochs[-1].epochs - choice.epochs >= self.patience:
                stage.stop()

    def on_epoch_end(self, stage: Stage, record: EpochRecord) -> None:
        """Add the epoch to those that can be chosen, set γ, and stop when patience has ended."""
        self.epochs.append(Choice.of(record))
        self.on_training_start(stage)

    def state_dict(self) -> dict[str, Any]:
        """Return the epochs so far."""
        return {"epochs": [asdict(epoch) for epoch in self.epochs]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the epochs of a checkpoint."""
        self.epochs = [Choice(**epoch) for epoch in state["epochs"]]
