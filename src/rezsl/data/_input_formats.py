"""Formats, which load the inputs of a batch as a model expects them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from rezsl.data._images import Crop, Framing, UnreadableImagesError, fit_images, read_images
from rezsl.data._inputs import Pictures
from rezsl.data._pixel_values import ValueRange
from rezsl.errors import ArgumentError, DataError, check_at_least

MOST_INPUTS, MOST_PIXELS = 256, 1 << 21
"""The most inputs of a forward pass, and the most pixels of its images.

41 images of 224 pixels, or 10 of 448. With more, the activations of a network need gigabytes, and leave the caches.
"""


@dataclass(frozen=True)
class FeatureFormat:
    """Features, which are used unchanged.

    Attributes:
        region_dim: D, numbers per region.
    """

    region_dim: int

    @property
    def batch(self) -> int:
        """The number of inputs of a forward pass without gradients."""
        return MOST_INPUTS

    def read(
        self, inputs: Tensor | Sequence[Path | Crop] | Pictures, index: Int[Tensor, "B"]
    ) -> Float[Tensor, "B ..."]:
        """Return the inputs of a batch; a DataError is raised if they are images."""
        if not isinstance(inputs, Tensor) or not inputs.is_floating_point():
            raise DataError(
                f"inputs: this model expects feature vectors of {self.region_dim} numbers, got images; compute the "
                f"features of the images as those that it was trained on"
            )
        return gather_rows(inputs, index)


@dataclass(frozen=True)
class ImageFormat:
    """Square images of dtype uint8.

    Attributes:
        size: height and width in pixels.
        channels: 3 for RGB, 1 for greyscale.
        resize: the shorter side of an image in pixels, after scaling and before the crop of ``size`` pixels; None
            crops the largest square.
        framing: ``crop``, or ``whole`` for the whole image, whose height and width are both scaled to ``size``.
        value_range: the numbers in image files that are black and white; None takes those of their type, see
            :func:`read_image`. Decoded images are used as they are.
    """

    size: int
    channels: int
    resize: int | None = None
    framing: Framing = "crop"
    value_range: ValueRange | None = None

    @property
    def batch(self) -> int:
        """The number of images of a forward pass without gradients."""
        return max(1, min(MOST_INPUTS, MOST_PIXELS // self.size**2))

    @property
    def cuts(self) -> bool:
        """Whether a square is smaller than the image allows, so that it has a place in the image."""
        return self.framing == "crop" and self.resize not in (None, self.size)

    def check_range(self, given: ValueRange | None) -> None:
        """Raise an ArgumentError where the ``value_range`` of a benchmark is another one; None fits every format."""
        if given not in (None, self.value_range):
            low, high = given
            reads = "no range, because the model reads the customary one of each type"
            if self.value_range:
                reads = f"{self.value_range[0]:g} {self.value_range[1]:g}"
            raise ArgumentError(
                f"value_range: expected {reads}, as in training, got {low:g} {high:g}; leave it out, or train a model "
                f"with it"
            )

    def read(
        self,
        inputs: Tensor | Sequence[Path | Crop] | Pictures,
        index: Int[Tensor, "B"],
        centres: Float[Tensor, "B 2"] | None = None,
    ) -> UInt8[Tensor, "B channels size size"]:
        """Return the inputs of a batch, decoded and fitted to the size, cropped at the centres or in the middle.

        Features, and a file that is no readable image, are a DataError.
        """
        if isinstance(inputs, Pictures):
            return inputs.read(index, self.size, self.channels, self.resize, self.framing)
        if not isinstance(inputs, Tensor):
            sources = [inputs[position] for position in index.tolist()]
            return read_images(sources, self.size, self.channels, self.resize, centres, self.framing, self.value_range)
        if inputs.dtype == torch.uint8:
            return fit_images(inputs[index], self.size, self.channels, self.resize, centres, self.framing)
        raise DataError(
            f"inputs: this model expects images, got features of shape {tuple(inputs.shape)}; give photos, or a model "
            f"that was trained on features"
        )


def gather_rows(inputs: Tensor, index: Int[Tensor, "B"]) -> Tensor:
    """Return ``inputs[index]``, several times faster for long rows and for half precision.

    Indexing copies number by number, which is slow in half precision. Here, whole rows of a contiguous tensor, possibly
    mapped from a file, are copied eight bytes at a time, if the length of the rows allows it.
    """
    row_bytes = math.prod(inputs.shape[1:]) * inputs.element_size()
    aligned = row_bytes and row_bytes % 8 == 0 and inputs.storage_offset() * inputs.element_size() % 8 == 0
    if not aligned or not inputs.is_contiguous() or inputs.requires_grad or inputs.device.type != "cpu":
        return inputs.index_select(0, index)
    rows = inputs.reshape(len(inputs), -1).view(torch.int64).index_select(0, index)
    return rows.view(inputs.dtype).view(len(index), *inputs.shape[1:])


def readable_batches(
    form: FeatureFormat | ImageFormat,
    inputs: Tensor | Sequence[Path | Crop] | Pictures,
    index: Int[Tensor, "N"] | None = None,
    batch_size: int | None = None,
    unreadable: dict[int, str] | None = None,
) -> Iterator[Tensor]:
    """Yield batches of inputs in a format, without the image files that cannot be read.

    Args:
        form: of the batches.
        inputs: in a form that :func:`as_inputs` returns.
        index: positions of the inputs, in this order; None takes all.
        batch_size: number of inputs per batch; None takes the format's ``batch``. A batch is smaller where some of its
            images cannot be read.
        unreadable: receives a sentence for each image that cannot be read, by its position in ``inputs``.

    Raises:
        UnreadableImagesError: some images cannot be read, and ``unreadable`` is None. All other images are read before,
            so that the message names all; no batch comes after the first such image.
        ArgumentError: ``batch_size`` is below 1.
    """
    index = torch.arange(len(inputs)) if index is None else index
    batch_size = form.batch if batch_size is None else batch_size
    check_at_least(1, batch_size=batch_size)
    problems, sources = ({} if unreadable is None else unreadable), dict[int, str]()
    for part in index.split(batch_size):
        batch = _read(form, inputs, part, problems, sources) if len(part) else None
        if batch is not None and not (problems and unreadable is None):
            yield batch
    if problems and unreadable is None:
        raise UnreadableImagesError.of(problems, sources)


def _read(
    form: FeatureFormat | ImageFormat,
    inputs: Tensor | Sequence[Path | Crop] | Pictures,
    index: Int[Tensor, "B"],
    problems: dict[int, str],
    sources: dict[int, str],
) -> Tensor | None:
    """Return a batch without the images that cannot be read, whose problems and names are added; None for none."""
    try:
        return form.read(inputs, index)
    except UnreadableImagesError as error:
        for place, problem in error.problems.items():
            position = int(index[place])
            problems[position], sources[position] = problem, error.sources[place]
        left = [position for place, position in enumerate(index.tolist()) if place not in error.problems]
    return form.read(inputs, torch.tensor(left)) if left else None
