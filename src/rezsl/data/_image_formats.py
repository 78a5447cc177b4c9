"""The formats of image files: which can be read, and what photos in other formats need."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from rezsl.errors import DataError, needs
from rezsl.files import check_file, reading
from rezsl.sources import is_inside, read_bytes

if TYPE_CHECKING:
    from PIL import Image

UNSAFE = ("EPS", "WMF", "FPX", "MIC", "BUFR", "GRIB", "HDF5", "MPEG")
"""Formats that Pillow gives to another program, such as Ghostscript, or cannot decode by itself."""

HEIC = "HEIC; pip install 'rezsl[heic]' for the package that reads them"
UNREAD = "a format that is not read; convert them to JPEG, PNG or TIFF"

PHOTOS = {
    **dict.fromkeys((".heic", ".heif", ".hif"), HEIC),
    **dict.fromkeys((".avif", ".avifs"), "AVIF; pip install -U pillow, which reads them from version 11.3"),
    **dict.fromkeys((".jxl", ".jxr", ".svg", ".exr", ".hdr", ".dcm", ".nii", ".cr2", ".cr3"), UNREAD),
    **dict.fromkeys((".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".dng", ".orf", ".rw2", ".raf"), UNREAD),
    **dict.fromkeys((".pef", ".srw", ".x3f", ".raw", ".rwl", ".iiq", ".3fr"), UNREAD),
}
"""What the photos are whose names end so, and what to do, where they cannot be read."""


def readable_suffixes() -> frozenset[str]:
    """Return the endings, in small letters, of the names of files that can be read."""
    known = pillow().Image.registered_extensions()
    return frozenset(suffix for suffix, kind in known.items() if kind in formats())


def pillow() -> ModuleType:
    """Return Pillow with its modules that are used here; it also reads HEIC where the package for that is installed."""
    with needs("images", "reading images"):
        import PIL.Image  # noqa: PLC0415 - an optional package
        import PIL.ImageOps  # noqa: PLC0415 - the same

    # Large images are refused by a limit of our own, in one line.
    warnings.filterwarnings("ignore", category=PIL.Image.DecompressionBombWarning)
    _with_heic()
    return PIL


@cache
def _with_heic() -> None:
    """Let Pillow read the photos of phones, HEIC, where the package for them is installed."""
    with suppress(ImportError):
        import pillow_heif  # noqa: PLC0415 - an optional package

        pillow_heif.register_heif_opener()


def formats() -> tuple[str, ...]:
    """Return the formats that Pillow decodes by itself."""
    images = pillow().Image
    images.init()
    return tuple(name for name in images.OPEN if name not in UNSAFE)


def _unidentified(path: Path) -> str:
    """Return what a file is that no decoder knows, and what to do; a photo of a known format is named."""
    ending = path.suffix.lower()
    kind = None if ending in readable_suffixes() else PHOTOS.get(ending)
    return f"got a photo in {kind}" if kind else "got a file that is none; restore it from a copy, or leave it out"


@contextmanager
def opened(path: Path) -> Iterator["Image.Image"]:
    """Open an image; every error inside the block becomes one that names the file."""
    images = pillow().Image
    remedy = "restore it from a copy, or leave it out"
    # The file is opened here, because Pillow would leave it open when decoding fails.
    inside = is_inside(path)
    if not inside:
        check_file(path, "an image", DataError)
    with (
        reading(path, "an image", DataError, remedy),
        BytesIO(read_bytes(path)) if inside else path.open("rb") as stream,
    ):
        try:
            image = images.open(stream, formats=formats())
        except pillow().UnidentifiedImageError as error:
            raise DataError(f"{path}: expected an image, {_unidentified(path)}") from error
        with image:
            yield image
