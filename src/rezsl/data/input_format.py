"""The inputs that a model expects: all that a process which loads its batches needs to know of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from rezsl.data.gather import gather_rows
from rezsl.data.images import Crop, fit_images, read_images
from rezsl.errors import DataError


@dataclass(frozen=True)
class FeatureFormat:
    """Features, used as they are.

    Attributes:
        region_dim: D, numbers per region.
    """

    region_dim: int

    def read(self, inputs: Tensor | Sequence[Path | Crop], index: Int[Tensor, "B"]) -> Float[Tensor, "B ..."]:
        """The inputs of a batch.

        Raises:
            DataError: they are images.
        """
        if isinstance(inputs, Tensor) and inputs.is_floating_point():
            return gather_rows(inputs, index)
        raise DataError(f"inputs: this model expects feature vectors of {self.region_dim} numbers, got images")


@dataclass(frozen=True)
class ImageFormat:
    """Square images of bytes.

    Attributes:
        size: height and width in pixels.
        channels: 3 for RGB, 1 for greyscale.
    """

    size: int
    channels: int

    def read(
        self, inputs: Tensor | Sequence[Path | Crop], index: Int[Tensor, "B"]
    ) -> UInt8[Tensor, "B channels size size"]:
        """The inputs of a batch, decoded and fitted.

        Raises:
            DataError: they are features, or a file is no readable image.
        """
        if not isinstance(inputs, Tensor):
            return read_images([inputs[position] for position in index.tolist()], self.size, self.channels)
        if inputs.dtype == torch.uint8:
            return fit_images(inputs[index], self.size, self.channels)
        raise DataError(f"inputs: this model expects images, got features of shape {tuple(inputs.shape)}")
