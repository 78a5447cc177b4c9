"""How training samples are drawn into batches."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from rezsl.data import BatchSampler, EpisodicBatches, ShuffledBatches
from rezsl.errors import ArgumentError


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
