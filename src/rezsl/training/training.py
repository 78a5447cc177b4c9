"""Every setting of a training, in one object."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch

from rezsl.errors import ArgumentError
from rezsl.functional.shapes import Protocol
from rezsl.losses import ClassificationLoss, CrossEntropyLoss, RegressionLoss, ReMSELoss
from rezsl.training.augmentation import Augmentation
from rezsl.training.batches import Batches
from rezsl.training.optimization import Optimization

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
Accelerator = Literal["auto", "cpu", "gpu", "mps"]

DEFAULT_LOSS = ReMSELoss()
DEFAULT_CLASSIFICATION = CrossEntropyLoss()


@dataclass(frozen=True)
class Training:
    """How a model is trained: the losses, the optimization, the batches, and where it runs.

    Args:
        loss: the regression loss on attributes; None trains with the classification loss alone.
        loss_weight: λ, the weight of the regression loss beside the classification loss.
        classification: the loss on the scores of the seen classes; None trains with the regression loss alone.
        scale: scale of the class scores.
        optimization: optimizer and learning-rate schedule.
        batches: how samples are drawn into batches.
        augmentation: random changes to training images; None leaves them as they are.
        max_epochs: the most epochs that selection tries; the schedule is laid over them.
        patience: epochs in a row whose validation H is more than one standard error below the highest, after which
            selection stops.
        protocol: ``oracle`` chooses the epoch and γ on the test classes, as published results did, so that they can be
            compared with; every record of such a run contains the word.
        seed: of weights, held-out samples, batches and augmentation.
        workers: processes that load batches ahead.
        accelerator: where to train; ``auto`` takes a GPU if there is one. A run trains on one device.
        precision: of the arithmetic in training.

    Raises:
        ArgumentError: a value is out of its range.
    """

    loss: RegressionLoss | None = DEFAULT_LOSS
    loss_weight: float = 1.0
    classification: ClassificationLoss | None = DEFAULT_CLASSIFICATION
    scale: float = 20.0
    optimization: Optimization = Optimization()
    batches: Batches = Batches()
    augmentation: Augmentation | None = Augmentation()
    max_epochs: int = 20
    patience: int = 10
    protocol: Protocol = "honest"
    seed: int = 0
    workers: int = 0
    accelerator: Accelerator = "auto"
    precision: Precision = "32-true"

    def __post_init__(self) -> None:
        for name, least in (("max_epochs", 1), ("patience", 1), ("workers", 0)):
            if getattr(self, name) < least:
                raise ArgumentError(f"{name}: expected at least {least}, got {getattr(self, name)}")
        if not 0 <= self.seed < 2**32:
            raise ArgumentError(f"seed: expected a whole number from 0 to 4294967295, got {self.seed}")
        if not 0 <= self.loss_weight < float("inf"):
            raise ArgumentError(f"loss_weight: expected a finite number of at least 0, got {self.loss_weight}")
        if not 0 < self.scale < float("inf"):
            raise ArgumentError(f"scale: expected a positive number, got {self.scale}")
        if self.loss is None and self.classification is None:
            raise ArgumentError("loss, classification: expected at least one of them, got none")
        for name, allowed in (("protocol", Protocol), ("accelerator", Accelerator), ("precision", Precision)):
            if getattr(self, name) not in get_args(allowed):
                raise ArgumentError(
                    f"{name}: expected one of {', '.join(get_args(allowed))}, got {getattr(self, name)!r}"
                )
        if self.accelerator == "gpu" and not torch.cuda.is_available():
            raise ArgumentError("accelerator: expected one that this machine has, got 'gpu' without a CUDA device")
