"""What people have at hand, one photo or many, in memory or in files, becomes what a model reads."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from rezsl.data._data_files import is_feature_file, read_feature_rows
from rezsl.data._images import Crop, Framing, _window
from rezsl.errors import ArgumentError

if TYPE_CHECKING:
    from PIL import Image

EXPECTED = (
    "the path of a photo or of a file of features, an image of Pillow, an array of NumPy or a tensor (uint8 images "
    "[N, channels, H, W] or [N, H, W, channels], or floating-point features [N, D]), or a list of paths or images"
)


class Pictures(Sequence[Any]):
    """Images of Pillow, which are cropped and scaled as files are."""

    def __init__(self, images: Iterable["Image.Image"]) -> None:
        self.images = list(images)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, position: Any) -> Any:
        return self.images[position]

    def read(
        self, index: Int[Tensor, "B"], size: int, channels: int, resize: int | None, framing: Framing
    ) -> UInt8[Tensor, "B channels size size"]:
        """Return the images at some positions as :func:`rezsl.data.read_images` does those of files."""
        pixels = [
            np.array(_window(_plain(self.images[position], channels), size, resize or size, (0.5, 0.5), framing))
            for position in index.tolist()
        ]
        images = torch.from_numpy(np.stack(pixels))
        return images.unsqueeze(1) if channels == 1 else images.permute(0, 3, 1, 2).contiguous()


def as_inputs(inputs: Any) -> Tensor | Sequence[Path | Crop] | Pictures:
    """Return inputs in one of the forms that a model reads; those that have one are returned unchanged.

    Args:
        inputs: a path, or a list of paths or boxes; an image of Pillow, or a list of them; an array or a tensor, or a
            list of arrays of images. uint8 stands for images, of which a single one needs no first axis and channels
            may come last; other numbers stand for features, of which a single vector needs no first axis. A path that
            ends in .npy, .npz, .mat or .csv stands for the features in that file.

    Raises:
        ArgumentError: the inputs are nothing of this.
        DataError: a file of features cannot be read.
    """
    if isinstance(inputs, str | Path) and is_feature_file(Path(inputs)):
        return read_feature_rows(inputs)
    if isinstance(inputs, Tensor):
        return _tensor(inputs)
    if isinstance(inputs, np.ndarray):
        return _array(inputs)
    if isinstance(inputs, str | Path | Crop) or _is_picture(inputs):
        return _listed([inputs])
    if not isinstance(inputs, Iterable):
        raise ArgumentError(f"inputs: expected {EXPECTED}, got {type(inputs).__name__}")
    return inputs if isinstance(inputs, Pictures) else _listed(inputs)


def _listed(inputs: Iterable[Any]) -> Tensor | Sequence[Path | Crop] | Pictures:
    """Return several inputs of one kind, whatever holds them."""
    entries: Sequence[Any] = inputs if isinstance(inputs, list | tuple) else [*inputs]
    if all(isinstance(entry, str | Path | Crop) for entry in entries):
        is_text = any(isinstance(entry, str) for entry in entries)
        return [Path(entry) if isinstance(entry, str) else entry for entry in entries] if is_text else entries
    if all(map(_is_picture, entries)):
        return Pictures(entries)
    if not all(isinstance(entry, np.ndarray | Tensor) for entry in entries):
        kinds = ", ".join(dict.fromkeys(type(entry).__name__ for entry in entries))
        raise ArgumentError(f"inputs: expected {EXPECTED}, got a list of {kinds}")
    parts = [_array(entry) if isinstance(entry, np.ndarray) else _tensor(entry) for entry in entries]
    if len({(part.shape[1:], part.dtype) for part in parts}) > 1:
        shapes = ", ".join(dict.fromkeys(str(tuple(entry.shape)) for entry in entries))
        raise ArgumentError(
            f"inputs: expected arrays of one shape, got {shapes[:200]}; give images of different sizes as a list of "
            f"images of Pillow, PIL.Image.fromarray(array)"
        )
    return torch.cat(parts)


def _is_picture(value: Any) -> bool:
    """Return whether a value is an image of Pillow, which need not be installed."""
    return any(kind.__module__ == "PIL.Image" and kind.__name__ == "Image" for kind in type(value).__mro__)


def _array(values: np.ndarray) -> Tensor:
    if values.dtype.kind not in "fiub":
        raise ArgumentError(f"inputs: expected {EXPECTED}, got an array of {values.dtype}")
    if values.dtype.kind != "f" and values.dtype != np.uint8:
        if values.ndim != 2:
            raise ArgumentError(
                f"inputs: expected images of type uint8, or features [N, D], got {values.dtype} of shape "
                f"{values.shape}; give images as array.astype('uint8') if their numbers go from 0 to 255"
            )
        values = values.astype(np.float32)
    # Big-endian numbers, and steps that are negative, are nothing that torch can share.
    native = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))
    return _tensor(torch.from_numpy(native.copy() if not native.flags.writeable else native))


def _tensor(values: Tensor) -> Tensor:
    if values.is_floating_point():
        if values.ndim == 4 and values.shape[1] in (1, 3):
            raise ArgumentError(
                f"inputs: expected images of type uint8 from 0 to 255, got {values.dtype} of shape "
                f"{tuple(values.shape)}; give (255 * images).round().to(torch.uint8) if they go from 0 to 1"
            )
        values = values.float() if values.dtype == torch.float64 else values
        return values.unsqueeze(0) if values.ndim == 1 else values
    if values.dtype != torch.uint8:
        return values.float() if values.ndim == 2 else values
    images = values.unsqueeze(0) if values.ndim == 3 else values[None, None] if values.ndim == 2 else values
    if images.ndim == 4 and images.shape[1] not in (1, 3) and images.shape[3] in (1, 3):
        images = images.permute(0, 3, 1, 2)
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        alpha = ", and lay transparency over a colour" if images.ndim == 4 and 4 in images.shape[1:] else ""
        raise ArgumentError(
            f"inputs: expected uint8 images [N, channels, H, W] or [N, H, W, channels] with 1 or 3 channels, got shape "
            f"{tuple(values.shape)}; give each image its channels{alpha}"
        )
    return images


def _plain(image: "Image.Image", channels: int) -> "Image.Image":
    """Return an image upright, with 8-bit numbers, and with transparency laid over white."""
    from PIL import Image, ImageOps  # noqa: PLC0415 - an optional package, which the image came from

    if image.mode.startswith("I") or image.mode == "F":
        raise ArgumentError(
            f"inputs: expected images of 8-bit numbers, got one of the mode {image.mode}, of which nothing says which "
            f"number is white; give the path of its file, or an array of uint8"
        )
    upright = ImageOps.exif_transpose(image)
    if upright.has_transparency_data:
        layer = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return upright.convert("RGB" if channels == 3 else "L")
