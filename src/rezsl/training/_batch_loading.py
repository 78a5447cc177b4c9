"""The batches of one stage of training, loaded by this process or by others ahead of it."""

import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from rezsl.data import Benchmark, Crop, FeatureFormat, ImageFormat

Batch = tuple[Tensor, Tensor]
"""Inputs ``[B, …]`` and rows of the semantics table ``[B]``."""


class BatchesOf(Dataset[Batch]):
    """Whole batches by their lists of indices, so that a batch is one gather and not a copy per sample.

    Args:
        benchmark: inputs and labels.
        input_format: of the model; the model itself would be copied into every process that loads batches.
        crop_seed: fixes, together with the batch, where images are cropped; None crops them in the middle.
    """

    def __init__(
        self, benchmark: Benchmark, input_format: FeatureFormat | ImageFormat, crop_seed: int | None = None
    ) -> None:
        self.inputs: Tensor | Sequence[Path | Crop] = benchmark.inputs
        self.labels, self.input_format, self.crop_seed = benchmark.labels, input_format, crop_seed

    def __getitem__(self, batch: list[int]) -> Batch:
        """Return the inputs and labels of a batch."""
        index = torch.tensor(batch)
        if isinstance(self.input_format, ImageFormat):
            return self.input_format.read(self.inputs, index, self._centres(index)), self.labels[index]
        return self.input_format.read(self.inputs, index), self.labels[index]

    def _centres(self, index: Int[Tensor, "B"]) -> Float[Tensor, "B 2"] | None:
        """Return where to crop; a resumed run crops alike, whichever process loads the batch."""
        if self.crop_seed is None:
            return None
        batch = zlib.crc32(index.numpy().tobytes())
        generator = torch.Generator().manual_seed(self.crop_seed * 2**32 + batch)
        return torch.rand(len(index), 2, generator=generator)


def load_batches(
    batches: BatchesOf, sampler: Iterable[list[int]], workers: int, device: torch.device
) -> DataLoader[Batch]:
    """Return a loader of the batches whose indices the sampler lists, with ``workers`` processes ahead of training."""
    return DataLoader(
        batches,
        batch_size=None,
        sampler=sampler,
        num_workers=workers,
        persistent_workers=workers > 0,
        # Pinning only helps where batches are copied to a GPU; a machine with a GPU may train on its CPU.
        pin_memory=device.type == "cuda",
    )
