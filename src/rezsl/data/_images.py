"""Image files, or boxes in them, are read as tensors of one size."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from rezsl.data._image_formats import opened, pillow
from rezsl.data._pixel_values import (
    Extent,
    ValueRange,
    brightness,
    check_colours,
    extent_of,
    is_deep,
    type_of,
    values_of,
)
from rezsl.errors import DataError, name_some
from rezsl.files import local_path

if TYPE_CHECKING:
    from PIL import Image

Value = TypeVar("Value")

Framing = Literal["crop", "whole"]
"""Which part of an image becomes the square that enters a network: a square part of it, or all of it, squeezed."""

MOST_PIXELS = 100_000_000
"""A larger image is refused before it is decoded, because a few kilobytes on disk can become gigabytes."""


LONGEST_SIDE = 65_535
"""The longest side that JPEG allows. An image of one row of 90 million pixels is no photo, and slow to scale."""


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


class UnreadableImagesError(DataError):
    """Some of several images cannot be read.

    Attributes:
        problems: a sentence for each of them, by its position among the images that were to be read.
        sources: their names, by the same positions.
    """

    def __init__(
        self, message: str, problems: Mapping[int, str] | None = None, sources: Mapping[int, str] | None = None
    ) -> None:
        super().__init__(message)
        self.problems, self.sources = dict(sorted((problems or {}).items())), dict(sources or {})

    @classmethod
    def of(cls, problems: Mapping[int, str], sources: Mapping[int, str], remark: str = "") -> "UnreadableImagesError":
        """Return the error whose message is the first problem, the first names of the other images, and the remark."""
        first, *others = sorted(problems)
        more = ""
        if others:
            names = name_some([sources[position] for position in others])
            more = f"; {len(others):,} other{'s' if len(others) > 1 else ''} cannot be read either: {names}"
        return cls(problems[first] + more + remark, problems, sources)


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
    value_range: ValueRange | None = None,
) -> UInt8[Tensor, "channels size size"]:
    """Decode an image, crop its box, turn it by its EXIF orientation, and scale a square of it, or all, to the size.

    Greyscale, palette, 16-bit and CMYK images are converted; transparency is laid over white. Which number is white
    depends on the type of the numbers and never on the content of a file: 255 for 8 bits, 65535 for 16 bits, 1 for
    floating-point numbers. Signed numbers and those of 32 bits have no such custom, and need ``value_range``.

    Args:
        source: a file in any format that Pillow reads, or a box in one.
        size: height and width of the result, in pixels.
        channels: 3 for RGB, 1 for greyscale.
        resize: the shorter side in pixels after scaling and before the crop of ``size`` pixels; None crops the largest
            square.
        centre: place of the square between left and right, and between top and bottom, in ``[0, 1]``.
        framing: ``whole`` scales height and width to ``size`` each, without a crop.
        value_range: the number that is black and the number that is white, in place of those of the type; numbers
            outside are cut to them.

    Raises:
        DataError: the file is missing, is no image, is cut short, has more than 100 million pixels or more than 65,535
            on a side, or the box does not lie inside it; or a number is NaN or infinite, or, without ``value_range``,
            has a type without a custom or is a floating-point number outside 0 to 1.
    """
    path, resize = file_of(source), resize or size
    with opened(path) as image:
        _check_sides(image, path)
        kind, part = type_of(image), image
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
        upright = _opaque(pillow().ImageOps.exif_transpose(part), kind, value_range, path)
        fitted = _window(upright.convert("RGB" if channels == 3 else "L"), size, resize, centre, framing)
    pixels = torch.from_numpy(np.array(fitted))
    return pixels.unsqueeze(0) if channels == 1 else pixels.permute(2, 0, 1).contiguous()


def _check_sides(image: "Image.Image", path: Path) -> None:
    if image.width * image.height > MOST_PIXELS:
        raise DataError(f"{path}: {image.width} × {image.height} pixels, more than {MOST_PIXELS:,}; scale it down")
    if max(image.size) > LONGEST_SIDE:
        raise DataError(
            f"{path}: expected sides of at most {LONGEST_SIDE:,} pixels, got {image.width} × {image.height}; scale "
            f"it down, or leave it out"
        )


def examine_image(path: Path, checked: bool = True) -> Extent:
    """Decode an image, at a reduced size where its format allows that, and return the extent of its numbers.

    Raises:
        DataError: it cannot be read as :func:`read_image` does; without ``checked``, the range of numbers is free.
    """
    with opened(path) as image:
        _check_sides(image, path)
        kind = type_of(image)
        image.draft("RGB", (64, 64))
        if checked:
            _opaque(image, kind, None, path)
        return extent_of(image, kind)


def has_deep_numbers(path: Path) -> bool:
    """Return whether an image has numbers of more than 8 bits; its pixels are not read. A file that is none has not."""
    with suppress(DataError), opened(path) as image:
        return type_of(image) != "8-bit numbers"
    return False


def read_images(
    sources: Sequence[str | Path | Crop],
    size: int,
    channels: int = 3,
    resize: int | None = None,
    centres: Float[Tensor, "N 2"] | None = None,
    framing: Framing = "crop",
    value_range: ValueRange | None = None,
) -> UInt8[Tensor, "N channels size size"]:
    """Decode several images, on several threads; see :func:`read_image`. ``centres`` are the middle by default.

    Raises:
        UnreadableImagesError: some cannot be read; the message names all of them.
    """
    places = [(0.5, 0.5)] * len(sources) if centres is None else [(left, top) for left, top in centres.tolist()]
    problems: dict[int, str] = {}

    def read(number: int) -> Tensor | None:
        try:
            return read_image(sources[number], size, channels, resize, places[number], framing, value_range)
        except DataError as error:
            problems[number] = str(error)
            return None

    images = [image for image in on_threads(read, len(sources)) if image is not None]
    if problems:
        raise UnreadableImagesError.of(problems, {number: str(file_of(sources[number])) for number in problems})
    return torch.stack(images)


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
    """Return the images' own size in pixels: of files, the median of the shorter sides of every n-th of them.

    A file that cannot be read does not count, because whoever reads the images names all such files at once. If none
    can be read, the first one's :class:`DataError` is raised.
    """
    if isinstance(inputs, Tensor):
        return int(min(inputs.shape[2:]))
    sides, problems = list[int](), list[DataError]()
    for source in inputs[:: max(1, len(inputs) // 100)]:
        if isinstance(source, Crop):
            left, top, right, bottom = source.box
            sides.append(min(right - left, bottom - top))
            continue
        try:
            with opened(file_of(source)) as image:
                sides.append(min(image.size))
        except DataError as error:
            problems.append(error)
    if not sides:
        raise problems[0]
    return sorted(sides)[len(sides) // 2]


def _window(
    image: "Image.Image", size: int, resize: int, centre: tuple[float, float], framing: Framing
) -> "Image.Image":
    """Return the square that is ``size`` pixels wide after the shorter side is scaled to ``resize``, scaled once."""
    if framing == "whole":
        return image.resize((size, size), pillow().Image.Resampling.BILINEAR)
    square = min(image.size) * size / resize
    left, top = ((side - square) * share for side, share in zip(image.size, centre, strict=True))
    return image.resize((size, size), pillow().Image.Resampling.BILINEAR, box=(left, top, left + square, top + square))


def _luminance(images: Tensor) -> Tensor:
    weights = torch.tensor([0.299, 0.587, 0.114], device=images.device).view(1, 3, 1, 1)  # ITU-R BT.601, as Pillow's
    return (images * weights).sum(dim=1, keepdim=True).round().to(torch.uint8)


def _opaque(image: "Image.Image", kind: str, value_range: ValueRange | None, path: Path) -> "Image.Image":
    """Return an image of 8-bit numbers without transparency."""
    from PIL import Image  # noqa: PLC0415 - an optional package

    if is_deep(kind):
        # Pillow would clip these to 255, which turns every 16-bit photo white.
        return Image.fromarray(brightness(values_of(image, kind), kind, value_range, path))
    check_colours(kind, value_range, path)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    if value_range is not None and kind == "8-bit numbers":
        pixels = np.asarray(image.convert("RGB"))
        return Image.fromarray(brightness(pixels, kind, value_range, path))
    return image
