"""Samplers choose the samples of each batch, as a function of their seed and the epoch."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator

import torch
from jaxtyping import Int
from torch import Tensor, distributed
from torch.utils.data import Sampler

from rezsl.errors import check_at_least


class BatchSampler(Sampler[list[int]], ABC):
    """The batches of an epoch; each of n processes takes every n-th of them.

    Args:
        seed: seed of the batches, together with the epoch.
        count: number of batches of an epoch.
    """

    def __init__(self, seed: int, count: int) -> None:
        self.seed, self.count, self.epoch = seed, count, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, before each pass over the batches."""
        self.epoch = epoch

    @abstractmethod
    def batches(self, generator: torch.Generator) -> list[Int[Tensor, "B"]]:
        """Return all batches of an epoch, as indices."""

    def __len__(self) -> int:
        return math.ceil(self.count / _world_size())

    def __iter__(self) -> Iterator[list[int]]:
        # A stride larger than any number of epochs keeps the streams of neighbouring seeds apart.
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        batches = self.batches(generator)
        world_size, rank = _world_size(), distributed.get_rank() if _world_size() > 1 else 0
        # The first batches are repeated, so that every process takes equally many steps and none waits for ever.
        places = range(rank, len(self) * world_size, world_size)
        yield from (batches[place % len(batches)].tolist() for place in places)


class ShuffledBatches(BatchSampler):
    """Every sample once per epoch, in random order.

    Args:
        index: the samples, ``[N]``.
        size: batch size; a last batch of a single sample joins the one before it (batch norm needs two).
        seed: seed of the order.
    """

    def __init__(self, index: Int[Tensor, "N"], size: int, seed: int) -> None:
        check_at_least(1, size=size)
        full, rest = divmod(len(index), size)
        super().__init__(seed, max(1, full + (rest > 1)))
        self.index, self.size = index, size

    def batches(self, generator: torch.Generator) -> list[Int[Tensor, "B"]]:
        """Return a new order of the samples, divided into batches."""
        batches = list(self.index[torch.randperm(len(self.index), generator=generator)].split(self.size))
        if len(batches) > 1 and len(batches[-1]) == 1 and self.size > 1:
            batches[-2:] = [torch.cat(batches[-2:])]
        return batches


class EpisodicBatches(BatchSampler):
    """W classes × K images per batch, with evenly drawn classes, as in the paper.

    Classes come in random order without repetition until all have come, so rare classes are as frequent as others. Of
    a class with fewer than K images, some are drawn more than once.

    Args:
        index: the samples, ``[N]``.
        labels: the class of each sample, ``[N]``.
        ways: W, classes per batch; all of them if there are fewer.
        shots: K, images per class.
        count: batches per epoch.
        seed: seed of all draws.
    """

    def __init__(
        self, index: Int[Tensor, "N"], labels: Int[Tensor, "N"], ways: int, shots: int, count: int, seed: int
    ) -> None:
        super().__init__(seed, count)
        check_at_least(1, ways=ways, shots=shots, count=count)
        self.members = [index[labels == label] for label in labels.unique()]
        self.ways, self.shots = min(ways, len(self.members)), shots

    def batches(self, generator: torch.Generator) -> list[Int[Tensor, "B"]]:
        """Draw the classes, and then their images."""
        queue: list[int] = []
        batches = []
        for _ in range(self.count):
            while len(queue) < self.ways:
                fresh = torch.randperm(len(self.members), generator=generator).tolist()
                # A class that is still queued moves to the end of the new round, so that no batch has a class twice.
                queue += [way for way in fresh if way not in queue] + [way for way in fresh if way in queue]
            chosen, queue = queue[: self.ways], queue[self.ways :]
            batches.append(torch.cat([self._draw(self.members[way], generator) for way in chosen]))
        return batches

    def _draw(self, members: Tensor, generator: torch.Generator) -> Tensor:
        rounds = -(-self.shots // len(members))
        order = torch.cat([torch.randperm(len(members), generator=generator) for _ in range(rounds)])
        return members[order[: self.shots]]


def _world_size() -> int:
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1
