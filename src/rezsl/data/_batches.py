"""Batches: samplers choose the samples of each, and formats load their inputs as a model expects them."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.utils.data import Sampler

from rezsl.data._images import Crop, Framing, fit_images, read_images
from rezsl.data._inputs import Pictures
from rezsl.data._pixel_values import ValueRange
from rezsl.errors import ArgumentError, DataError, check_at_least
from rezsl.processes import process_count, process_rank


@dataclass(frozen=True)
class FeatureFormat:
    """Features, which are used unchanged.

    Attributes:
        region_dim: D, numbers per region.
    """

    region_dim: int

    def read(
        self, inputs: Tensor | Sequence[Path | Crop] | Pictures, index: Int[Tensor, "B"]
    ) -> Float[Tensor, "B ..."]:
        """Return the inputs of a batch; a DataError is raised if they are images."""
        if not isinstance(inputs, Tensor) or not inputs.is_floating_point():
            raise DataError(
                f"inputs: this model expects feature vectors of {self.region_dim} numbers, got images; compute the "
                f"features of the images as those that it was trained on"
            )
        return gather_rows(inputs, index)


@dataclass(frozen=True)
class ImageFormat:
    """Square images of dtype uint8.

    Attributes:
        size: height and width in pixels.
        channels: 3 for RGB, 1 for greyscale.
        resize: the shorter side of an image in pixels, after scaling and before the crop of ``size`` pixels; None
            crops the largest square.
        framing: ``crop``, or ``whole`` for the whole image, whose height and width are both scaled to ``size``.
        value_range: the numbers in image files that are black and white; None takes those of their type, see
            :func:`read_image`. Decoded images are used as they are.
    """

    size: int
    channels: int
    resize: int | None = None
    framing: Framing = "crop"
    value_range: ValueRange | None = None

    @property
    def cuts(self) -> bool:
        """Whether a square is smaller than the image allows, so that it has a place in the image."""
        return self.framing == "crop" and self.resize not in (None, self.size)

    def read(
        self,
        inputs: Tensor | Sequence[Path | Crop] | Pictures,
        index: Int[Tensor, "B"],
        centres: Float[Tensor, "B 2"] | None = None,
    ) -> UInt8[Tensor, "B channels size size"]:
        """Return the inputs of a batch, decoded and fitted to the size, cropped at the centres or in the middle.

        Features, and a file that is no readable image, are a DataError.
        """
        if isinstance(inputs, Pictures):
            return inputs.read(index, self.size, self.channels, self.resize, self.framing)
        if not isinstance(inputs, Tensor):
            sources = [inputs[position] for position in index.tolist()]
            return read_images(sources, self.size, self.channels, self.resize, centres, self.framing, self.value_range)
        if inputs.dtype == torch.uint8:
            return fit_images(inputs[index], self.size, self.channels, self.resize, centres, self.framing)
        raise DataError(
            f"inputs: this model expects images, got features of shape {tuple(inputs.shape)}; give photos, or a model "
            f"that was trained on features"
        )


def gather_rows(inputs: Tensor, index: Int[Tensor, "B"]) -> Tensor:
    """Return ``inputs[index]``, several times faster for long rows and for half precision.

    Indexing copies number by number, which is slow in half precision. Here, whole rows of a contiguous tensor, possibly
    mapped from a file, are copied eight bytes at a time, if the length of the rows allows it.
    """
    row_bytes = math.prod(inputs.shape[1:]) * inputs.element_size()
    aligned = row_bytes and row_bytes % 8 == 0 and inputs.storage_offset() * inputs.element_size() % 8 == 0
    if not aligned or not inputs.is_contiguous() or inputs.requires_grad or inputs.device.type != "cpu":
        return inputs.index_select(0, index)
    rows = inputs.reshape(len(inputs), -1).view(torch.int64).index_select(0, index)
    return rows.view(inputs.dtype).view(len(index), *inputs.shape[1:])


class BatchSampler(Sampler[list[int]], ABC):
    """The batches of an epoch; each of n processes takes its part of every batch.

    Every process draws the same batches, and ``torch.tensor_split`` divides each among them in the order of their
    ranks. So the parts of a batch differ in length by one sample at most, no sample is left out or drawn twice, and the
    batches are those of a single process.

    Args:
        seed: seed of the batches, together with the epoch.
        sizes: the number of samples of each batch of an epoch, over all processes.
    """

    def __init__(self, seed: int, sizes: Sequence[int]) -> None:
        self.seed, self.sizes, self.epoch = seed, tuple(sizes), 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, before each pass over the batches."""
        self.epoch = epoch

    @abstractmethod
    def batches(self, generator: torch.Generator) -> list[Int[Tensor, "B"]]:
        """Return all batches of an epoch, as indices."""

    def __len__(self) -> int:
        return len(self.sizes)

    def __iter__(self) -> Iterator[list[int]]:
        """Yield this process's part of each batch; a batch of fewer samples than processes is an ArgumentError."""
        count, rank = process_count(), process_rank()
        if min(self.sizes) < count > 1:
            raise ArgumentError(
                f"batches: expected at least {count} samples in each, one for each process, got a batch of "
                f"{min(self.sizes)}; take larger batches (--batches.size, or --batches.ways for episodes) or fewer "
                f"processes"
            )
        # A stride larger than any number of epochs keeps the streams of neighbouring seeds apart.
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        for batch in self.batches(generator):
            yield batch.tensor_split(count)[rank].tolist()


class ShuffledBatches(BatchSampler):
    """Every sample once per epoch, in random order.

    Args:
        index: the samples, ``[N]``.
        size: batch size; a last batch of a single sample joins the one before it (batch norm needs two).
        seed: seed of the order.
    """

    def __init__(self, index: Int[Tensor, "N"], size: int, seed: int) -> None:
        check_at_least(1, size=size)
        self.index, self.size = index, size
        super().__init__(seed, [len(batch) for batch in self._divided(index)])

    def batches(self, generator: torch.Generator) -> list[Int[Tensor, "B"]]:
        """Return a new order of the samples, divided into batches."""
        return self._divided(self.index[torch.randperm(len(self.index), generator=generator)])

    def _divided(self, index: Int[Tensor, "N"]) -> list[Int[Tensor, "B"]]:
        batches = list(index.split(self.size))
        if len(batches) > 1 and len(batches[-1]) == 1 and self.size > 1:
            batches[-2:] = [torch.cat(batches[-2:])]
        return batches


class EpisodicBatches(BatchSampler):
    """W classes × K images per batch; rare classes are as frequent as others.

    Of a class with fewer than K images, some are drawn more than once.

    Args:
        index: the samples, ``[N]``.
        labels: the class of each sample, ``[N]``.
        ways: W, classes per batch; all of them if there are fewer.
        shots: K, images per class.
        count: batches per epoch.
        seed: seed of all draws.
        balanced: whether classes come in random order without repetition until all have come; otherwise the classes of
            a batch are any W of them.
    """

    def __init__(
        self,
        index: Int[Tensor, "N"],
        labels: Int[Tensor, "N"],
        ways: int,
        shots: int,
        count: int,
        seed: int,
        balanced: bool = True,
    ) -> None:
        check_at_least(1, ways=ways, shots=shots, count=count)
        # Sorted once: a comparison of all labels with each of many classes would take the product of both numbers.
        sizes = labels.unique(return_counts=True)[1].tolist()
        self.members = index[labels.argsort(stable=True)].split(sizes)
        self.ways, self.shots, self.balanced = min(ways, len(self.members)), shots, balanced
        super().__init__(seed, [self.ways * shots] * count)

    def batches(self, generator: torch.Generator) -> list[Int[Tensor, "B"]]:
        """Draw the classes, and then their images."""
        queue: list[int] = []
        batches = []
        for _ in self.sizes:
            while len(queue) < self.ways:
                fresh = torch.randperm(len(self.members), generator=generator).tolist()
                # A class that is still queued moves to the end of the new round, so that no batch has a class twice.
                queue += [way for way in fresh if way not in queue] + [way for way in fresh if way in queue]
            chosen, queue = queue[: self.ways], queue[self.ways :] if self.balanced else []
            batches.append(torch.cat([self._draw(self.members[way], generator) for way in chosen]))
        return batches

    def _draw(self, members: Tensor, generator: torch.Generator) -> Tensor:
        rounds = -(-self.shots // len(members))
        order = torch.cat([torch.randperm(len(members), generator=generator) for _ in range(rounds)])
        return members[order[: self.shots]]
