"""Batches of a benchmark for one stage of training."""

import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from jaxtyping import Float, Int
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from rezsl.data import BatchSampler, Benchmark, Crop, FeatureFormat, ImageFormat


class BatchesOf(Dataset[tuple[Tensor, Tensor]]):
    """Whole batches by their lists of indices: one gather instead of a call and a copy per sample.

    Args:
        benchmark: inputs and labels.
        input_format: of the model; the model itself would be copied into every process that loads batches.
        crop_seed: crops images somewhere, decided by this seed and the batch; None crops them in the middle.
    """

    def __init__(
        self, benchmark: Benchmark, input_format: FeatureFormat | ImageFormat, crop_seed: int | None = None
    ) -> None:
        self.inputs: Tensor | Sequence[Path | Crop] = benchmark.inputs
        self.labels, self.input_format, self.crop_seed = benchmark.labels, input_format, crop_seed

    def __getitem__(self, batch: list[int]) -> tuple[Tensor, Tensor]:
        """Inputs and labels of a batch."""
        index = torch.tensor(batch)
        if isinstance(self.input_format, ImageFormat):
            return self.input_format.read(self.inputs, index, self._centres(index)), self.labels[index]
        return self.input_format.read(self.inputs, index), self.labels[index]

    def _centres(self, index: Int[Tensor, "B"]) -> Float[Tensor, "B 2"] | None:
        """Where to crop: the same again in a resumed run, whichever process loads the batch."""
        if self.crop_seed is None:
            return None
        batch = zlib.crc32(index.numpy().tobytes())
        generator = torch.Generator().manual_seed(self.crop_seed * 2**32 + batch)
        return torch.rand(len(index), 2, generator=generator)


class StageData(LightningDataModule):
    """The loaders of one stage.

    Args:
        benchmark: where samples come from.
        input_format: of the model they are for.
        sampler: draws the training batches.
        validation: indices to validate on after each epoch, ``[N]``, possibly none.
        workers: processes that load batches ahead; 0 loads in this one.
        crop_seed: of the crops of training images; None crops them in the middle, as validation images always are.
    """

    def __init__(
        self,
        benchmark: Benchmark,
        input_format: FeatureFormat | ImageFormat,
        sampler: BatchSampler,
        validation: Int[Tensor, "N"],
        workers: int = 0,
        crop_seed: int | None = None,
    ) -> None:
        super().__init__()
        self.training, self.sampler = BatchesOf(benchmark, input_format, crop_seed), sampler
        self.validating = BatchesOf(benchmark, input_format)
        self.validation, self.workers = validation, workers

    def train_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        """Training batches, drawn anew each epoch."""
        return self._loader(self.training, self.sampler)

    def val_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]] | list[None]:
        """Validation batches; none in a stage without validation."""
        if not len(self.validation):
            return []
        return self._loader(self.validating, [part.tolist() for part in self.validation.split(256)])

    def _loader(self, batches: BatchesOf, sampler: Iterable[list[int]]) -> DataLoader[tuple[Tensor, Tensor]]:
        assert self.trainer is not None
        return DataLoader(
            batches,
            batch_size=None,
            sampler=sampler,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            # Of use only where batches are copied to a GPU: a machine that has one may train on its CPU.
            pin_memory=self.trainer.strategy.root_device.type == "cuda",
        )
