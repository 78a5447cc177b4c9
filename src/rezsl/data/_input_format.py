"""The format of the inputs that a model expects, by which processes load batches without the model."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from rezsl.data._images import Crop, fit_images, read_images
from rezsl.errors import DataError


@dataclass(frozen=True)
class FeatureFormat:
    """Features, which are used unchanged.

    Attributes:
        region_dim: D, numbers per region.
    """

    region_dim: int

    def read(self, inputs: Tensor | Sequence[Path | Crop], index: Int[Tensor, "B"]) -> Float[Tensor, "B ..."]:
        """Return the inputs of a batch; a DataError is raised if they are images."""
        if isinstance(inputs, Tensor) and inputs.is_floating_point():
            return gather_rows(inputs, index)
        raise DataError(f"inputs: this model expects feature vectors of {self.region_dim} numbers, got images")


@dataclass(frozen=True)
class ImageFormat:
    """Square images of dtype uint8.

    Attributes:
        size: height and width in pixels.
        channels: 3 for RGB, 1 for greyscale.
        resize: the shorter side of an image in pixels, after scaling and before the crop of ``size`` pixels; None
            crops the largest square.
    """

    size: int
    channels: int
    resize: int | None = None

    def read(
        self,
        inputs: Tensor | Sequence[Path | Crop],
        index: Int[Tensor, "B"],
        centres: Float[Tensor, "B 2"] | None = None,
    ) -> UInt8[Tensor, "B channels size size"]:
        """Return the inputs of a batch, decoded and fitted to the size, cropped at the centres or in the middle.

        Raises:
            DataError: the inputs are features, or a file is no readable image.
        """
        if not isinstance(inputs, Tensor):
            sources = [inputs[position] for position in index.tolist()]
            return read_images(sources, self.size, self.channels, self.resize, centres)
        if inputs.dtype == torch.uint8:
            return fit_images(inputs[index], self.size, self.channels, self.resize, centres)
        raise DataError(f"inputs: this model expects images, got features of shape {tuple(inputs.shape)}")


def gather_rows(inputs: Tensor, index: Int[Tensor, "B"]) -> Tensor:
    """Return ``inputs[index]``, several times faster for long rows and for half precision.

    Indexing copies number by number, which is slow in half precision. Here, whole rows of a contiguous tensor are
    copied eight bytes at a time, if the length of the rows allows it.

    Args:
        inputs: ``[N, ...]`` of any dtype, possibly mapped from a file.
        index: rows, in ``[0, N)``.
    """
    row_bytes = math.prod(inputs.shape[1:]) * inputs.element_size()
    aligned = row_bytes and row_bytes % 8 == 0 and inputs.storage_offset() * inputs.element_size() % 8 == 0
    if not aligned or not inputs.is_contiguous() or inputs.requires_grad or inputs.device.type != "cpu":
        return inputs.index_select(0, index)
    rows = inputs.reshape(len(inputs), -1).view(torch.int64).index_select(0, index)
    return rows.view(inputs.dtype).view(len(index), *inputs.shape[1:])
