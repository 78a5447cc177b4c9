"""Decoded photos are cropped and scaled as Pillow does it, by operations that every runtime has."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from rezsl.data import ImageFormat

LUMINANCE = (19595.0, 38470.0, 7471.0)
"""Pillow's weights of red, green and blue, times 65536: those of ITU-R BT.601."""


class Fitting(nn.Module):
    """Decoded photos of any size become the squares that a backbone receives, with whole numbers from 0 to 255.

    A triangle filter, as wide as the scale where photos are scaled down, weights the pixels: that is Pillow's bilinear
    filter. Rows are scaled before columns, and both are rounded, as Pillow does with most photos; it scales the columns
    of some upright photos first, which changes some numbers by 1. A photo that has the size already is taken for such a
    square, and not changed.
    """

    luminance: Float[Tensor, "3 1 1"]

    def __init__(self, form: ImageFormat) -> None:
        super().__init__()
        self.form = form
        self.register_buffer("luminance", torch.tensor(LUMINANCE).view(3, 1, 1), persistent=False)

    def forward(self, images: UInt8[Tensor, "N height width 3"]) -> Float[Tensor, "N channels size size"]:
        """Return the squares of photos in RGB; of one channel where the backbone reads greyscale."""
        size, pixels = self.form.size, images.permute(0, 3, 1, 2).float()
        if self.form.channels == 1:
            pixels = _rounded((pixels * self.luminance).sum(dim=1, keepdim=True) / 65536)
        height, width = (torch.scalar_tensor(side, dtype=torch.float32) for side in images.shape[1:3])
        spans = [(torch.zeros_like(side), side) for side in (height, width)]
        if self.form.framing == "crop":
            square = torch.minimum(height, width) * size / (self.form.resize or size)
            square = torch.where((height == size) & (width == size), size, square)
            spans = [((side - square) / 2, (side + square) / 2) for side in (height, width)]
        along = _rounded(pixels @ _weights(*spans[1], images.shape[2], size).T)
        return _rounded(_weights(*spans[0], images.shape[1], size) @ along)


def _rounded(numbers: Tensor) -> Tensor:
    return (numbers + 0.5).floor()


def _weights(begin: Float[Tensor, ""], end: Float[Tensor, ""], length: int, size: int) -> Float[Tensor, "size length"]:
    """Return the share of each of ``length`` pixels in each of ``size`` pixels that cover a span of them."""
    scale = (end - begin) / size
    centres = begin + (torch.arange(size) + 0.5) * scale
    distance = (torch.arange(length) + 0.5 - centres[:, None]).abs()
    shares = (1 - distance / scale.clamp(min=1.0)).clamp(min=0.0)
    return shares / shares.sum(dim=1, keepdim=True)
