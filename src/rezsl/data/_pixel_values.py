"""The numbers of image files as brightness from 0 to 255, by a rule that does not depend on the content of a file."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rezsl.errors import ArgumentError, DataError

if TYPE_CHECKING:
    from PIL import Image

ValueRange = tuple[int | float, int | float]
"""The value that is black, and the value that is white."""

CUSTOMARY: dict[str, ValueRange] = {
    "8-bit numbers": (0, 255),
    "16-bit numbers": (0, 65535),
    "16-bit colours": (0, 65535),
    "floating-point numbers": (0, 1),
}
"""The range of the types of numbers that have a customary one; signed numbers and those of 32 bits have none."""

SMALL_SHARE = 1 / 8
"""Where no image of a type goes beyond this share of its range, the images probably have another range."""

HOW = "the range of all images, as --data.value-range LOW HIGH of rezsl fit"


def check_value_range(value_range: Sequence[int | float] | None) -> None:
    """Raise an ArgumentError for anything but two finite numbers, the first one below the second, or None."""
    if value_range is None:
        return
    if len(value_range) != 2 or not all(map(math.isfinite, value_range)) or not value_range[0] < value_range[1]:
        got = " ".join(f"{value:g}" for value in value_range)
        raise ArgumentError(
            f"value_range: expected two numbers, the value that is black and a larger one that is white, got {got}; "
            f"give both, such as 0 4095"
        )


def type_of(image: "Image.Image") -> str:
    """Return the type of the numbers of an image that has been opened and not yet decoded."""
    stored = _stored_as(image)
    if image.mode == "F":
        return "floating-point numbers"
    if image.mode.startswith("I;16"):
        return "16-bit numbers"
    if image.mode != "I":
        return "16-bit colours" if ";16" in stored else "8-bit numbers"
    # Pillow scales the maps of PNM, whose header has their largest value, to 16 bits.
    if image.format == "PPM" or (stored.startswith("I;16") and "S" not in stored):
        return "16-bit numbers"
    if stored.startswith("I;16"):
        return "signed 16-bit numbers"
    return "32-bit numbers" if stored == "I;32N" and image.format == "TIFF" else "signed 32-bit numbers"


def _stored_as(image: "Image.Image") -> str:
    """Return Pillow's name of how numbers are stored in the file, such as ``I;16B``; empty where it has none."""
    tiles: Any = getattr(image, "tile", None)
    arguments = tiles[0][3] if tiles else ""
    first = arguments[0] if isinstance(arguments, tuple | list) and arguments else arguments
    return first if isinstance(first, str) else ""


def is_deep(kind: str) -> bool:
    """Return whether an image of this type has one channel of other than 8-bit numbers."""
    return kind not in ("8-bit numbers", "16-bit colours")


def values_of(image: "Image.Image", kind: str) -> np.ndarray:
    """Return the numbers of a decoded image of one channel, ``[height, width]``, as float64."""
    values = np.asarray(image)
    if kind == "32-bit numbers":
        values = values.view(np.uint32)  # Pillow has no such type, and takes the upper half for negative numbers
    return values.astype(np.float64)


def brightness(values: np.ndarray, kind: str, value_range: ValueRange | None, path: Path) -> np.ndarray:
    """Return numbers of a type as uint8, from 0 at the lower to 255 at the upper end of the range.

    Args:
        values: the numbers, of any shape.
        kind: their type, as :func:`type_of` returns it.
        value_range: the range; values outside it are cut to its ends. None takes the customary one of the type, and
            refuses a type without a customary range, and floating-point numbers outside 0 to 1.
        path: the file, for messages.

    Raises:
        DataError: a number is NaN or infinite, or the range is unknown or exceeded; the message has the file.
    """
    if not np.isfinite(values).all():
        count = int((~np.isfinite(values)).sum())
        raise DataError(
            f"{path}: expected finite numbers, got NaN or infinity in {count:,} of {values.size:,} pixels; fill them "
            f"in, or leave the image out"
        )
    limits = CUSTOMARY.get(kind) if value_range is None else value_range
    lowest, highest = float(values.min()), float(values.max())
    found = f"{kind} from {lowest:g} to {highest:g}"
    if limits is None:
        raise DataError(f"{path}: expected a type of numbers with a customary range, got {found}; give {HOW}")
    low, high = limits
    if value_range is None and not low <= lowest <= highest <= high:
        raise DataError(
            f"{path}: expected floating-point numbers from 0 to 1, got {lowest:g} to {highest:g}; give {HOW}"
        )
    return ((values.clip(low, high) - low) / (high - low) * 255).round().astype(np.uint8)


def check_colours(kind: str, value_range: ValueRange | None, path: Path) -> None:
    """Refuse colours of 16 bits under a range of their own, because Pillow reads only the upper 8 bits of them."""
    if kind == "16-bit colours" and value_range not in (None, CUSTOMARY[kind]):
        raise DataError(
            f"{path}: expected 8-bit colours or one channel under a range of values, got 16-bit colours, of which only "
            f"the upper 8 bits are read; write them with 8 bits, or leave the range out"
        )


@dataclass(frozen=True)
class Extent:
    """The least and the largest number of an image, and their type."""

    kind: str
    low: int | float
    high: int | float


def extent_of(image: "Image.Image", kind: str) -> Extent:
    """Return the extent of a decoded image; that of 16-bit colours is rounded to 8 bits."""
    if is_deep(kind):
        values = values_of(image, kind)
        values = values[np.isfinite(values)]
        low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    else:
        extrema: Any = image.convert("RGB").getextrema()
        low, high = (float(pick(ends)) for pick, ends in zip((min, max), zip(*extrema, strict=True), strict=True))
        scale = 257 if kind == "16-bit colours" else 1
        low, high = low * scale, high * scale
    return Extent(kind, low, high)


def notes_on_range(extents: list[Extent], value_range: ValueRange | None) -> tuple[str, ...]:
    """Return a note for each type of numbers whose images look as if they had another range than they are read with."""
    notes = []
    for kind in dict.fromkeys(extent.kind for extent in extents):
        own = [extent for extent in extents if extent.kind == kind]
        low, high = min(extent.low for extent in own), max(extent.high for extent in own)
        limits = CUSTOMARY.get(kind) if value_range is None else value_range
        seen = f"{len(own):,} images of {kind} examined have values from {low:g} to {high:g}"
        if limits is None:
            notes.append(f"{seen}, a type without a customary range; give {HOW}")
        elif low < limits[0] or high > limits[1]:
            cut = "refused" if value_range is None else "cut to its ends"
            notes.append(f"{seen}; values outside {limits[0]:g} to {limits[1]:g} are {cut}; give {HOW}")
        elif high - limits[0] <= SMALL_SHARE * (limits[1] - limits[0]):
            top = _likely_top(high, kind)
            notes.append(
                f"{seen}, a small part of {limits[0]:g} to {limits[1]:g}, so that a model sees them nearly black; if "
                f"all images have the range 0 to {top:g}, give --data.value-range 0 {top:g}"
            )
    return tuple(notes)


def _likely_top(high: int | float, kind: str) -> float:
    """Return the largest number of the fewest bits that hold a value; of floating-point numbers the value itself."""
    if kind == "floating-point numbers":
        return high
    return float(2 ** max(1, int(high).bit_length()) - 1)
