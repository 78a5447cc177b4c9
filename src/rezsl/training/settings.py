"""The settings of a training: losses, batches, augmentation, and where it runs."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Int
from torch import Tensor, nn

from rezsl.data import BatchSampler, EpisodicBatches, FeatureFormat, ImageFormat, ShuffledBatches
from rezsl.errors import ArgumentError, check_at_least, check_choice, check_not_negative, check_positive, needs
from rezsl.functional.shapes import Protocol
from rezsl.losses import ClassificationLoss, CrossEntropyLoss, RegressionLoss, ReMSELoss
from rezsl.training.optimization import Optimization

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
Accelerator = Literal["auto", "cpu", "gpu", "mps"]
Strategy = Literal["auto", "ddp"]

Auto = Literal["auto"]
"""Leaves a setting to :func:`rezsl.fit`."""

DEFAULT_LOSS, DEFAULT_CLASSIFICATION = ReMSELoss(), CrossEntropyLoss()


@dataclass(frozen=True)
class Batches:
    """Class episodes as in the paper, or shuffled batches.

    Episodes contain rare classes as often as frequent ones; on validation classes of traffic signs this raises H by
    several points.

    Attributes:
        ways: classes per episode; 0 means plain shuffling. Where there are fewer classes, each contributes more images.
        shots: images per class in an episode.
        balanced: whether classes take turns, so that an epoch has each equally often; otherwise the classes of each
            episode are drawn without regard to those before, as in the paper's code.
        per_epoch: episodes per epoch; 0 means as many as draw the number of training images.
        size: batch size of plain shuffling; episodes have ways × shots images instead.
        micro: images that go through the network at a time, 0 for the whole batch. The losses, ReMSE's error matrix
            included, are those of the whole batch: each part is computed once without keeping its activations, and once
            more for the gradients. Memory falls to that of one part, for a third more computing. Batch normalisation
            uses the statistics of the parts.
        recompute: likewise for each block of an image backbone (gradient checkpointing): only the inputs of blocks are
            kept. Batch normalisation uses the statistics of the whole batch. Both options together save the most.
    """

    ways: int = 16
    shots: int = 2
    balanced: bool = True
    per_epoch: int = 0
    size: int = 32
    micro: int = 0
    recompute: bool = False

    def __post_init__(self) -> None:
        for least, names in ((1, ("size", "shots")), (0, ("ways", "per_epoch", "micro"))):
            check_at_least(least, **{f"batches.{name}": getattr(self, name) for name in names})

    def sampler(self, index: Int[Tensor, "N"], labels: Int[Tensor, "N"], seed: int) -> BatchSampler:
        """Return a sampler of the samples ``index``, whose classes are ``labels``."""
        if not self.ways:
            return ShuffledBatches(index, self.size, seed)
        size = self.ways * self.shots
        ways = min(self.ways, len(labels.unique()))
        shots = max(self.shots, size // ways)
        count = self.per_epoch or math.ceil(len(index) / size)
        return EpisodicBatches(index, labels, ways, shots, count, seed, self.balanced)

    def drawn(self, labels: Int[Tensor, "N"]) -> Int[Tensor, "K"]:
        """Return how many samples of each class, ascending, are drawn in as many draws as there are labels.

        Losses that weight by frequency need these numbers: episodes draw all classes equally often, whatever their
        numbers of samples.
        """
        counts = labels.unique(return_counts=True)[1]
        return torch.full_like(counts, max(1, round(len(labels) / len(counts)))) if self.ways else counts


@dataclass(frozen=True)
class Augmentation:
    """Small random changes to training images that leave their class as it is, on tensors through kornia.

    By default there are no mirror images: a mirrored "turn left" is a "turn right", and a mirrored digit is no digit.

    Attributes:
        rotation: largest turn in degrees.
        translation: largest shift as a share of the image's size.
        scale: largest relative change of size.
        shear: largest shear in degrees.
        brightness: largest relative change of brightness.
        contrast: largest relative change of contrast.
        saturation: largest relative change of saturation, for colour images.
        horizontal_flip: probability of a mirror image.
        crop: for backbones whose framing is ``crop``, the side of the square that is cut out of a training photo, as a
            share of the photo's shorter side, above 0; None takes the share of tests. A square that is smaller than
            the photo allows is cut at random. The paper's code has 7/8, which is 448 of 512 pixels.
    """

    rotation: float = 12.0
    translation: float = 0.1
    scale: float = 0.15
    shear: float = 10.0
    brightness: float = 0.3
    contrast: float = 0.4
    saturation: float = 0.25
    horizontal_flip: float = 0.0
    crop: float | None = None

    def __post_init__(self) -> None:
        limits = {"rotation": 180.0, "shear": 89.0}
        for name in self.__dataclass_fields__:
            value, most = getattr(self, name), limits.get(name, 1.0)
            if name != "crop" and not 0 <= value <= most:
                raise ArgumentError(f"augmentation.{name}: expected a number from 0 to {most:g}, got {value}")
        if self.crop is not None and not 0 < self.crop <= 1:
            raise ArgumentError(f"augmentation.crop: expected a number above 0 and at most 1, or null, got {self.crop}")

    def build(self, channels: int) -> nn.Module:
        """Return a module that changes images in ``[0, 1]``, each with random numbers of its own."""
        with needs("images", "random changes to images"):
            from kornia import augmentation as kornia  # noqa: PLC0415 - an import that feature benchmarks never need

        steps: list[nn.Module] = []
        # Steps without effect are left out, because an affine map blurs a little even where it moves nothing.
        if any((self.rotation, self.translation, self.scale, self.shear)):
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
        changes = [(kornia.RandomBrightness, self.brightness), (kornia.RandomContrast, self.contrast)]
        if channels == 3:
            changes.append((kornia.RandomSaturation, self.saturation))
        steps += [change((1 - most, 1 + most), p=1.0) for change, most in changes if most]
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
        centered: score by cosines around the mean of the training classes, see
            :meth:`rezsl.ZeroShotClassifier.compared`. ``auto`` lets the selection choose where the data are regions of
            a frozen backbone and the protocol is honest, by the area under the validation curve, and is false
            elsewhere. What is better differs from data to data.
        mixup: α of mixup (Zhang et al., ICLR 2018), which trains on mixtures of two images and of their targets; 0 for
            none. ``auto`` tries 0 and 1 in the same way.
        varied_only: leave attributes out of the scores in which all training classes are equal.
        folds: class folds of the selection. Each of k folds holds a k-th of the seen classes out of its training, and
            the number of epochs and γ are chosen for all folds together, see :meth:`Choice.over`. 1 takes the
            benchmark's validation classes; ``auto`` takes 4 folds where one draw of validation classes decides too
            little, and otherwise 1: for photos with fewer than 5 validation classes, on which γ cannot rest, and where
            ``centered`` or ``mixup`` is chosen.
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
        accelerator: where to train; ``auto`` takes a GPU if there is one.
        precision: of the arithmetic in training.
        devices: processes on each machine, each with a device of its own, that train one model together; ``auto`` takes
            all GPUs. Under ``torchrun`` and SLURM it is left at 1, and all processes that were started are used. Every
            batch is divided among the processes, and the losses are those of the whole batch, so that the result is
            that of one process except for the random numbers of augmentation and dropout, which differ between the
            parts; mixup mixes images of the same part.
        strategy: how the processes work together; ``auto`` is ``ddp`` with several of them: each has a copy of the
            model.
        nodes: machines, on each of which the same command is started.
        sync_batchnorm: compute the statistics of batch normalisation from whole batches, on GPUs; otherwise each
            process uses those of its own part, and their running averages are averaged at the end of each epoch.

    Raises:
        ArgumentError: a value is out of its range.
    """

    loss: RegressionLoss | None = DEFAULT_LOSS
    loss_weight: float = 1.0
    classification: ClassificationLoss | None = DEFAULT_CLASSIFICATION
    scale: float = 20.0
    centered: bool | Auto = "auto"
    mixup: float | Auto = "auto"
    varied_only: bool = False
    folds: int | Auto = "auto"
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
    devices: int | Auto = 1
    strategy: Strategy = "auto"
    nodes: int = 1
    sync_batchnorm: bool = False

    def __post_init__(self) -> None:
        check_at_least(1, max_epochs=self.max_epochs, patience=self.patience)
        check_at_least(0, workers=self.workers)
        if not 0 <= self.seed < 2**32:
            raise ArgumentError(f"seed: expected a whole number from 0 to 4294967295, got {self.seed}")
        check_not_negative(loss_weight=self.loss_weight)
        check_positive(scale=self.scale)
        if self.centered not in (True, False, "auto"):
            raise ArgumentError(f"centered: expected true, false or auto, got {self.centered!r}")
        if self.mixup != "auto":
            if isinstance(self.mixup, bool | str):
                raise ArgumentError(f"mixup: expected a number of at least 0, or auto, got {self.mixup!r}")
            check_not_negative(mixup=self.mixup)
            object.__setattr__(self, "mixup", float(self.mixup))
        if self.folds != "auto":
            if not isinstance(self.folds, int):
                raise ArgumentError(f"folds: expected a whole number of at least 1, or auto, got {self.folds!r}")
            check_at_least(1, folds=self.folds)
        if self.loss is None and self.classification is None:
            raise ArgumentError("loss, classification: expected at least one of them, got none; give one")
        check_choice(Protocol, protocol=self.protocol)
        check_choice(Accelerator, accelerator=self.accelerator)
        check_choice(Precision, precision=self.precision)
        check_choice(Strategy, strategy=self.strategy)
        if self.devices != "auto" and (isinstance(self.devices, bool) or not isinstance(self.devices, int)):
            raise ArgumentError(f"devices: expected a whole number of at least 1, or auto, got {self.devices!r}")
        check_at_least(1, nodes=self.nodes, **({} if self.devices == "auto" else {"devices": self.devices}))
        if self.sync_batchnorm and self.batches.micro:
            raise ArgumentError(
                f"sync_batchnorm: expected false with batches.micro, whose parts each process counts for itself, got "
                f"true and {self.batches.micro}; set one of them to its default"
            )
        if self.accelerator == "gpu" and not torch.cuda.is_available():
            raise ArgumentError(
                "accelerator: expected one that this machine has, got 'gpu' without a CUDA device"
                "; set it to auto or cpu"
            )

    def framed(self, input_format: FeatureFormat | ImageFormat) -> FeatureFormat | ImageFormat:
        """Return the format in which training samples are read for a model of an input format.

        Raises:
            ArgumentError: ``augmentation.crop`` is given, and the model receives whole images.
        """
        crop = None if self.augmentation is None else self.augmentation.crop
        if crop is None or not isinstance(input_format, ImageFormat):
            return input_format
        if input_format.framing == "whole":
            raise ArgumentError(
                f"augmentation.crop: expected null with a backbone that receives whole images, got {crop:g}; set "
                f"backbone.framing to crop"
            )
        return replace(input_format, resize=round(input_format.size / crop))

    def candidates(self, frozen_regions: bool = False) -> tuple["Training", ...]:
        """Return the settings with ``auto`` of the learning rate, centered and mixup replaced, the plainest first.

        Args:
            frozen_regions: whether the data are regions of a frozen backbone. Under the honest protocol the result then
                has all combinations of centered and mixup, of which the selection chooses one.
        """
        choosing = frozen_regions and self.protocol == "honest"
        rate = self.optimization.highest_rate(frozen_regions)
        settled = replace(self, optimization=replace(self.optimization, learning_rate=rate))
        centered = ((False, True) if choosing else (False,)) if self.centered == "auto" else (self.centered,)
        mixup = ((0.0, 1.0) if choosing else (0.0,)) if self.mixup == "auto" else (self.mixup,)
        return tuple(replace(settled, centered=first, mixup=second) for first in centered for second in mixup)
