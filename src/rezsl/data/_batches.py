"""Batches: samplers choose the samples of each."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Int
from torch import Tensor
from torch.utils.data import Sampler

from rezsl.errors import ArgumentError, check_at_least
from rezsl.processes import process_count, process_rank


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
