"""Image files, or boxes in them, to tensors of one size."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torch.nn import functional as F

from rezsl.errors import DataError

MOST_PIXELS = 100_000_000
"""A larger image is refused before it is decoded: a few kilobytes on disk can unfold to gigabytes."""


@dataclass(frozen=True)
class Crop:
    """One object of an image.

    Attributes:
        path: the image file.
        box: left, top, right and bottom in pixels from the upper left corner; right and bottom are the first column
            and row outside. Counted in the stored image, before it is turned as its EXIF orientation says, as
            annotations count them.

    Raises:
        DataError: the box is empty or begins outside the image.
    """

    path: Path
    box: tuple[int, int, int, int]

    def __post_init__(self) -> None:
        left, top, right, bottom = self.box
        if not (0 <= left < right and 0 <= top < bottom):
            raise DataError(
                f"{self.path}: expected a box (left, top, right, bottom) with 0 ≤ left < right and 0 ≤ top < bottom, "
                f"got {self.box}; correct the annotation"
            )


def read_image(source: str | Path | Crop, size: int, channels: int = 3) -> UInt8[Tensor, "channels size size"]:
    """Decode an image, crop its box, turn it as its EXIF orientation says, and fit the middle square to the size.

    Greyscale, palette, 16-bit and CMYK images are converted; transparency is laid over white.

    Args:
        source: a file in any format that Pillow reads, or a box in one.
        size: height and width of the result, in pixels.
        channels: 3 for RGB, 1 for greyscale.

    Raises:
        DataError: the file is missing, is no image, is cut short, or has more than 100 million pixels, or the box does
            not lie inside it.
    """
    path = source.path if isinstance(source, Crop) else source
    try:
        # Opened here: Pillow's own lazy opening leaves the file open when decoding fails.
        with Path(path).open("rb") as stream, Image.open(stream) as image:
            if image.width * image.height > MOST_PIXELS:
                raise DataError(
                    f"{path}: {image.width} × {image.height} pixels, more than {MOST_PIXELS:,}; scale it down"
                )
            if isinstance(source, Crop):
                part = _cropped(image, source)
            else:
                # Coarse decoding is quicker, but would change the pixels that a box counts.
                image.draft("RGB", (2 * size, 2 * size))
                part = image
            upright = ImageOps.exif_transpose(part)
            mode = "RGB" if channels == 3 else "L"
            fitted = ImageOps.fit(_opaque(upright).convert(mode), (size, size), Image.Resampling.BILINEAR)
    except FileNotFoundError:
        raise DataError(f"{path}: no such image") from None
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: not a readable image ({error})") from error
    pixels = torch.from_numpy(np.array(fitted))
    return pixels.unsqueeze(0) if channels == 1 else pixels.permute(2, 0, 1).contiguous()


def find_images(folder: Path) -> list[Path]:
    """Image files below a folder, sorted; hidden ones (``._photo.jpg``, ``.ipynb_checkpoints``) are none."""
    readable = {suffix for suffix, format_name in Image.registered_extensions().items() if format_name in Image.OPEN}
    return sorted(
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in readable
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
        and file.is_file()
    )


def read_images(
    sources: Sequence[str | Path | Crop], size: int, channels: int = 3
) -> UInt8[Tensor, "N channels size size"]:
    """Decode several images, on several threads; see :func:`read_image`."""
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as threads:
        return torch.stack(list(threads.map(lambda source: read_image(source, size, channels), sources)))


def fit_images(
    images: UInt8[Tensor, "N from_channels H W"], size: int, channels: int = 3
) -> UInt8[Tensor, "N channels size size"]:
    """Bring decoded images to a size and number of channels; images that have both pass as they are."""
    if images.shape[1] != channels:
        images = images.expand(-1, 3, -1, -1) if channels == 3 else _luminance(images)
    if images.shape[2:] == (size, size):
        return images
    square = min(images.shape[2:])
    top, left = ((side - square) // 2 for side in images.shape[2:])
    middle = images[:, :, top : top + square, left : left + square].float()
    return F.interpolate(middle, (size, size), mode="bilinear", antialias=True).round().to(torch.uint8)


def natural_size(inputs: Tensor | Sequence[Path | Crop], least: int = 16, most: int = 64) -> int:
    """The size at which a small network should see these images: their own, but from 16 to 64 pixels.

    Smaller ones are enlarged, so that augmentation can move them by less than a pixel. For files it is the median of
    the shorter sides of a hundred images (or boxes) spread over the list.
    """
    if isinstance(inputs, Tensor):
        return max(least, min(most, *map(int, inputs.shape[2:])))
    sides: list[int] = []
    for path in inputs[:: max(1, len(inputs) // 100)]:
        if isinstance(path, Crop):
            left, top, right, bottom = path.box
            sides.append(min(right - left, bottom - top))
            continue
        try:
            with Image.open(path) as image:
                sides.append(min(image.size))
        except (OSError, Image.DecompressionBombError) as error:
            raise DataError(f"{path}: not a readable image ({error})") from error
    return max(least, min(most, sorted(sides)[len(sides) // 2]))


def _cropped(image: Image.Image, crop: Crop) -> Image.Image:
    if crop.box[2] > image.width or crop.box[3] > image.height:
        raise DataError(
            f"{crop.path}: expected a box inside the image of {image.width} × {image.height} pixels, got "
            f"(left, top, right, bottom) = {crop.box}; correct the annotation"
        )
    return image.crop(crop.box)


def _luminance(images: Tensor) -> Tensor:
    weights = torch.tensor([0.299, 0.587, 0.114], device=images.device).view(1, 3, 1, 1)  # ITU-R BT.601, as Pillow's
    return (images * weights).sum(dim=1, keepdim=True).round().to(torch.uint8)


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        # Pillow clips these to 255 when it converts them, which turns every 16-bit photo white.
        values = np.asarray(image, dtype=np.float64)
        top = 1.0 if image.mode == "F" and values.max() <= 1 else 65535.0
        top = 255.0 if image.mode in ("I", "F") and 1 < values.max() <= 255 else top
        return Image.fromarray((values.clip(0, top) / top * 255).round().astype(np.uint8))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return image
