"""How training samples are drawn into batches."""

from dataclasses import dataclass

from jaxtyping import Int
from torch import Tensor

from rezsl.data import BatchSampler, EpisodicBatches, ShuffledBatches
from rezsl.errors import ArgumentError


@dataclass(frozen=True)
class Batches:
    """Shuffled batches, or class episodes as in the paper.

    Attributes:
        size: batch size of plain shuffling.
        ways: classes per episode; 0 means plain shuffling.
        shots: images per class in an episode.
        per_epoch: episodes per epoch; 0 means as many as it takes to draw as many images as there are.
    """

    size: int = 32
    ways: int = 0
    shots: int = 2
    per_epoch: int = 0

    def __post_init__(self) -> None:
        for name, least in (("size", 1), ("ways", 0), ("shots", 1), ("per_epoch", 0)):
            if getattr(self, name) < least:
                raise ArgumentError(f"batches.{name}: expected at least {least}, got {getattr(self, name)}")

    def sampler(self, index: Int[Tensor, "N"], labels: Int[Tensor, "N"], seed: int) -> BatchSampler:
        """A sampler of the given samples, whose classes are ``labels``."""
        if not self.ways:
            return ShuffledBatches(index, self.size, seed)
        count = self.per_epoch or -(-len(index) // (self.ways * self.shots))
        return EpisodicBatches(index, labels, self.ways, self.shots, count, seed)
