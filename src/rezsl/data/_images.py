"""Image files, or boxes in them, are read as tensors of one size."""

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from rezsl.errors import DataError, needs
from rezsl.files import check_file, local_path, reading

if TYPE_CHECKING:
    from PIL import Image

Value = TypeVar("Value")

Framing = Literal["crop", "whole"]
"""Which part of an image becomes the square that enters a network: a square part of it, or all of it, squeezed."""

MOST_PIXELS = 100_000_000
"""A larger image is refused before it is decoded, because a few kilobytes on disk can become gigabytes."""


LONGEST_SIDE = 65_535
"""The longest side that JPEG allows. An image of one row of 90 million pixels is no photo, and slow to scale."""

UNSAFE = ("EPS", "WMF", "FPX", "MIC", "BUFR", "GRIB", "HDF5", "MPEG")
"""Formats that Pillow gives to another program, such as Ghostscript, or cannot decode by itself."""


@dataclass(frozen=True)
class Crop:
    """One object of an image.

    Attributes:
        path: the image file.
        box: left, top, right and bottom in pixels from the upper left corner; right and bottom are the first column
            and row outside. As in annotations, they count pixels of the stored image, before it is turned by its EXIF
            orientation.

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


def file_of(source: str | Path | Crop) -> Path:
    """Return the file of an image, or of a box in one."""
    return local_path(source.path if isinstance(source, Crop) else source)


def read_image(
    source: str | Path | Crop,
    size: int,
    channels: int = 3,
    resize: int | None = None,
    centre: tuple[float, float] = (0.5, 0.5),
    framing: Framing = "crop",
) -> UInt8[Tensor, "channels size size"]:
    """Decode an image, crop its box, turn it by its EXIF orientation, and scale a square of it, or all, to the size.

    Greyscale, palette, 16-bit and CMYK images are converted; transparency is laid over white.

    Args:
        source: a file in any format that Pillow reads, or a box in one.
        size: height and width of the result, in pixels.
        channels: 3 for RGB, 1 for greyscale.
        resize: the shorter side in pixels after scaling and before the crop of ``size`` pixels; None crops the largest
            square.
        centre: place of the square between left and right, and between top and bottom, in ``[0, 1]``.
        framing: ``whole`` scales height and width to ``size`` each, without a crop.

    Raises:
        DataError: the file is missing, is no image, is cut short, has more than 100 million pixels or more than 65,535
            on a side, or the box does not lie inside it.
    """
    path, resize = file_of(source), resize or size
    with _opened(path) as image:
        if image.width * image.height > MOST_PIXELS:
            raise DataError(f"{path}: {image.width} × {image.height} pixels, more than {MOST_PIXELS:,}; scale it down")
        if max(image.size) > LONGEST_SIDE:
            raise DataError(
                f"{path}: expected sides of at most {LONGEST_SIDE:,} pixels, got {image.width} × {image.height}; scale "
                f"it down, or leave it out"
            )
        part = image
        if isinstance(source, Crop):
            if source.box[2] > image.width or source.box[3] > image.height:
                raise DataError(
                    f"{path}: expected a box inside the image of {image.width} × {image.height} pixels, got "
                    f"(left, top, right, bottom) = {source.box}; correct the annotation"
                )
            part = image.crop(source.box)
        else:
            # Decoding at reduced size is quicker, but changes the pixels that a box counts.
            image.draft("RGB", (2 * resize, 2 * resize))
        upright = _opaque(_pillow().ImageOps.exif_transpose(part))
        fitted = _window(upright.convert("RGB" if channels == 3 else "L"), size, resize, centre, framing)
    pixels = torch.from_numpy(np.array(fitted))
    return pixels.unsqueeze(0) if channels == 1 else pixels.permute(2, 0, 1).contiguous()


def find_images(folder: Path) -> list[Path]:
    """Return the image files below a folder, sorted, without hidden ones (``._photo.jpg``, ``.ipynb_checkpoints``)."""
    pillow = _pillow().Image
    readable = {suffix for suffix, kind in pillow.registered_extensions().items() if kind in _formats()}
    return sorted(
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in readable
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
        and file.is_file()
    )


def read_images(
    sources: Sequence[str | Path | Crop],
    size: int,
    channels: int = 3,
    resize: int | None = None,
    centres: Float[Tensor, "N 2"] | None = None,
    framing: Framing = "crop",
) -> UInt8[Tensor, "N channels size size"]:
    """Decode several images, on several threads; see :func:`read_image`. ``centres`` are the middle by default."""
    places = [(0.5, 0.5)] * len(sources) if centres is None else [(left, top) for left, top in centres.tolist()]

    def read(number: int) -> Tensor:
        return read_image(sources[number], size, channels, resize, places[number], framing)

    return torch.stack(on_threads(read, len(sources)))


def on_threads(call: Callable[[int], Value], count: int) -> list[Value]:
    """Return the values of a function at 0, 1, … ``count`` − 1, which several threads call."""
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as threads:
        return list(threads.map(call, range(count)))


def fit_images(
    images: UInt8[Tensor, "N from_channels H W"],
    size: int,
    channels: int = 3,
    resize: int | None = None,
    centres: Float[Tensor, "N 2"] | None = None,
    framing: Framing = "crop",
) -> UInt8[Tensor, "N channels size size"]:
    """Bring decoded images to a size and number of channels; images that have both are returned unchanged.

    ``resize``, ``centres`` and ``framing`` are those of :func:`read_images`.
    """
    if images.shape[1] != channels:
        images = images.expand(-1, 3, -1, -1) if channels == 3 else _luminance(images)
    resize = resize or size
    if images.shape[2:] == (size, size) and (resize == size or framing == "whole"):
        return images
    if framing == "whole":
        return _scaled(images, size)
    square = max(1, round(min(images.shape[2:]) * size / resize))
    room = torch.tensor([images.shape[3] - square, images.shape[2] - square])
    places = (room / 2 if centres is None else room * centres).long().expand(len(images), 2).tolist()
    windows = [
        image[:, top : top + square, left : left + square] for image, (left, top) in zip(images, places, strict=True)
    ]
    if not windows:
        return images.new_empty(0, channels, size, size)
    return _scaled(torch.stack(windows), size)


def _scaled(images: UInt8[Tensor, "N channels H W"], size: int) -> UInt8[Tensor, "N channels size size"]:
    return F.interpolate(images.float(), (size, size), mode="bilinear", antialias=True).round().to(torch.uint8)


def natural_size(inputs: Tensor | Sequence[Path | Crop]) -> int:
    """Return the images' own size in pixels: of files, the median of the shorter sides of every n-th of them."""
    if isinstance(inputs, Tensor):
        return int(min(inputs.shape[2:]))
    sides: list[int] = []
    for source in inputs[:: max(1, len(inputs) // 100)]:
        if isinstance(source, Crop):
            left, top, right, bottom = source.box
            sides.append(min(right - left, bottom - top))
        else:
            with _opened(source) as image:
                sides.append(min(image.size))
    return sorted(sides)[len(sides) // 2]


def _pillow() -> ModuleType:
    with needs("images", "reading images"):
        import PIL.Image  # noqa: PLC0415 - an optional package
        import PIL.ImageOps  # noqa: PLC0415 - the same

    # Large images are refused by a limit of our own, in one line.
    warnings.filterwarnings("ignore", category=PIL.Image.DecompressionBombWarning)
    return PIL


def _formats() -> tuple[str, ...]:
    """Return the formats that Pillow decodes by itself."""
    pillow = _pillow().Image
    pillow.init()
    return tuple(name for name in pillow.OPEN if name not in UNSAFE)


@contextmanager
def _opened(path: Path) -> Iterator["Image.Image"]:
    """Open an image; every error inside the block becomes one that names the file."""
    pillow = _pillow().Image
    remedy = "restore it from a copy, or leave it out"
    # The file is opened here, because Pillow would leave it open when decoding fails.
    check_file(path, "an image", DataError)
    with reading(path, "an image", DataError, remedy), path.open("rb") as stream:
        try:
            image = pillow.open(stream, formats=_formats())
        except _pillow().UnidentifiedImageError as error:
            raise DataError(f"{path}: expected an image, got a file that is none; {remedy}") from error
        with image:
            yield image


def _window(
    image: "Image.Image", size: int, resize: int, centre: tuple[float, float], framing: Framing
) -> "Image.Image":
    """Return the square that is ``size`` pixels wide after the shorter side is scaled to ``resize``, scaled once."""
    if framing == "whole":
        return image.resize((size, size), _pillow().Image.Resampling.BILINEAR)
    square = min(image.size) * size / resize
    left, top = ((side - square) * share for side, share in zip(image.size, centre, strict=True))
    return image.resize((size, size), _pillow().Image.Resampling.BILINEAR, box=(left, top, left + square, top + square))


def _luminance(images: Tensor) -> Tensor:
    weights = torch.tensor([0.299, 0.587, 0.114], device=images.device).view(1, 3, 1, 1)  # ITU-R BT.601, as Pillow's
    return (images * weights).sum(dim=1, keepdim=True).round().to(torch.uint8)


def _opaque(image: "Image.Image") -> "Image.Image":
    from PIL import Image  # noqa: PLC0415 - an optional package

    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        # Pillow would clip these to 255, which turns every 16-bit photo white.
        values = np.asarray(image, dtype=np.float64)
        top = 1.0 if image.mode == "F" and values.max() <= 1 else 65535.0
        top = 255.0 if image.mode in ("I", "F") and 1 < values.max() <= 255 else top
        return Image.fromarray((values.clip(0, top) / top * 255).round().astype(np.uint8))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return image
