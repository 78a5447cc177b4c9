"""The settings of a training: losses, batches, augmentation, and where it runs."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Int
from torch import Tensor, nn

from rezsl.data import BatchSampler, EpisodicBatches, ShuffledBatches
from rezsl.errors import ArgumentError, needs
from rezsl.functional.shapes import Protocol
from rezsl.losses import ClassificationLoss, CrossEntropyLoss, RegressionLoss, ReMSELoss
from rezsl.training.optimization import Optimization

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
Accelerator = Literal["auto", "cpu", "gpu", "mps"]

DEFAULT_LOSS = ReMSELoss()
DEFAULT_CLASSIFICATION = CrossEntropyLoss()


@dataclass(frozen=True)
class Batches:
    """Class episodes as in the paper, or shuffled batches.

    Episodes show rare classes as often as frequent ones; on validation classes of traffic signs that is worth several
    points of H.

    Attributes:
        ways: classes per episode; 0 means plain shuffling. Where there are fewer classes, each gives more images.
        shots: images per class in an episode.
        per_epoch: episodes per epoch; 0 means as many as it takes to draw as many images as there are.
        size: batch size of plain shuffling.
        micro: images that go through the network at a time, 0 for the whole batch. The losses still see the whole
            batch, ReMSE's error matrix included: each part is computed once without keeping what its gradients need,
            and once more when they are taken. Memory falls to that of one part, for a third more computing. Batch
            normalisation sees parts.
        recompute: the same for each block of an image backbone instead (gradient checkpointing): only what passes from
            block to block is kept. Batch normalisation sees the whole batch. Both together save the most.
    """

    ways: int = 16
    shots: int = 2
    per_epoch: int = 0
    size: int = 32
    micro: int = 0
    recompute: bool = False

    def __post_init__(self) -> None:
        for name, least in (("size", 1), ("ways", 0), ("shots", 1), ("per_epoch", 0), ("micro", 0)):
            if getattr(self, name) < least:
                raise ArgumentError(f"batches.{name}: expected at least {least}, got {getattr(self, name)}")

    def sampler(self, index: Int[Tensor, "N"], labels: Int[Tensor, "N"], seed: int) -> BatchSampler:
        """A sampler of the given samples, whose classes are ``labels``."""
        if not self.ways:
            return ShuffledBatches(index, self.size, seed)
        size = self.ways * self.shots
        ways = min(self.ways, len(labels.unique()))
        shots = max(self.shots, size // ways)
        return EpisodicBatches(index, labels, ways, shots, self.per_epoch or math.ceil(len(index) / size), seed)

    def drawn(self, labels: Int[Tensor, "N"]) -> Int[Tensor, "K"]:
        """How often samples of each class are drawn, classes ascending, when as many are drawn as there are labels.

        Losses that weigh by frequency must know what training shows: episodes draw classes evenly, whatever there is of
        each.
        """
        counts = labels.unique(return_counts=True)[1]
        return torch.full_like(counts, max(1, round(len(labels) / len(counts)))) if self.ways else counts


@dataclass(frozen=True)
class Augmentation:
    """Small shifts, turns and changes of light.

    No mirror images by default: a mirrored "turn left" is a "turn right", and a mirrored digit is none.

    Attributes:
        rotation: largest turn in degrees.
        translation: largest shift as a share of the image's size.
        scale: largest relative change of size.
        shear: largest shear in degrees.
        brightness: largest relative change of brightness.
        contrast: largest relative change of contrast.
        saturation: largest relative change of saturation, for colour images.
        horizontal_flip: probability of a mirror image.
    """

    rotation: float = 12.0
    translation: float = 0.1
    scale: float = 0.15
    shear: float = 10.0
    brightness: float = 0.3
    contrast: float = 0.4
    saturation: float = 0.25
    horizontal_flip: float = 0.0

    def __post_init__(self) -> None:
        limits = {"rotation": 180.0, "shear": 89.0}
        for name in self.__dataclass_fields__:
            value, most = getattr(self, name), limits.get(name, 1.0)
            if not 0 <= value <= most:
                raise ArgumentError(f"augmentation.{name}: expected a number from 0 to {most:g}, got {value}")

    def build(self, channels: int) -> nn.Module:
        """A module from images in ``[0, 1]`` to changed images, new random numbers for each image."""
        with needs("images", "random changes to images"):
            from kornia import augmentation as kornia  # noqa: PLC0415 - an import that feature benchmarks never need

        steps: list[nn.Module] = []
        # What changes nothing is left out: an affine map blurs a little even where it moves nothing.
        if self.rotation or self.translation or self.scale or self.shear:
            steps.append(
                kornia.RandomAffine(
                    degrees=self.rotation,
                    translate=(self.translation, self.translation),
                    scale=(1 - self.scale, 1 + self.scale),
                    shear=self.shear,
                    padding_mode="border",
                    p=1.0,
                )
            )
        if self.brightness:
            steps.append(kornia.RandomBrightness((1 - self.brightness, 1 + self.brightness), p=1.0))
        if self.contrast:
            steps.append(kornia.RandomContrast((1 - self.contrast, 1 + self.contrast), p=1.0))
        if channels == 3 and self.saturation:
            steps.append(kornia.RandomSaturation((1 - self.saturation, 1 + self.saturation), p=1.0))
        if self.horizontal_flip:
            steps.append(kornia.RandomHorizontalFlip(p=self.horizontal_flip))
        return nn.Sequential(*steps)


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
