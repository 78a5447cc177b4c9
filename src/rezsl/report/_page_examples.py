"""Images of unseen classes, recognised and not, small enough to be part of a page."""

import base64
import io
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from rezsl.classifier import ZeroShotClassifier, explain
from rezsl.data import Benchmark
from rezsl.evaluation import Analysis
from rezsl.report._plots import pixels_of

CLASSES, RIGHT, WRONG = 24, 2, 2
"""The most unseen classes with images on a page, and the most right and the most wrong images of each."""

SIDE, TINY = 96, 48
"""Pixels of an image in the page; images up to TINY are kept as they are and enlarged by the browser."""


@dataclass(frozen=True)
class Example:
    """One image of a class.

    Attributes:
        picture: the image as a data URI.
        chosen: the class that the model chose.
        map: the image under the map of an attribute, as a data URI; None where there is no map.
        attribute: name of the attribute whose map is shown, or how many attributes it stands for.
    """

    picture: str
    chosen: str
    map: str | None = None
    attribute: str = ""


@dataclass(frozen=True)
class ClassExamples:
    """Some images of one unseen class, recognised and not recognised among all classes."""

    name: str
    right: tuple[Example, ...]
    wrong: tuple[Example, ...]

    @property
    def map_of(self) -> Example | None:
        """The first image with a map, a recognised one if there is one."""
        return next((example for example in (*self.right, *self.wrong) if example.map), None)


def examples_of(
    model: ZeroShotClassifier, benchmark: Benchmark, analysis: Analysis, index: Int[Tensor, "N"] | None = None
) -> tuple[ClassExamples, ...]:
    """Return images of the unseen classes, the class with the lowest accuracy first; none for features.

    The images of a class are spread evenly over its right (wrong) images, so that they are not all from one folder.
    The first of each side has the map of an attribute where the network scores by cosine.

    Args:
        model: reads the images, and is the one whose maps are shown.
        benchmark: has the images.
        analysis: of N samples.
        index: position of each sample in the benchmark, ``[N]``, where another model than ``model`` predicted them, so
            that there are no maps; None stands for the test images.
    """
    if benchmark.kind != "images":
        return ()
    known, own = analysis.generalized, index is None
    index = torch.cat([benchmark.split.test_seen, benchmark.split.test_unseen]) if index is None else index
    index = index[known.sample]
    accuracy = known.accuracy_of
    unseen = [name for name, seen in zip(analysis.classes, analysis.is_seen, strict=True) if not seen]
    found = []
    for name in sorted(unseen, key=accuracy.__getitem__)[:CLASSES]:
        row, sides = known.candidates.index(name), []
        for right, most in ((True, RIGHT), (False, WRONG)):
            rows = ((known.truth == row) & ((known.chosen == row) == right)).nonzero().squeeze(1)
            picked = rows[torch.linspace(0, len(rows) - 1, min(most, len(rows))).long()]
            chosen = [known.candidates[column] for column in known.chosen[picked].tolist()]
            sides.append(_examples(model, benchmark, index[picked].tolist(), chosen, own))
        found.append(ClassExamples(name, *sides))
    return tuple(found)


def _examples(
    model: ZeroShotClassifier, benchmark: Benchmark, positions: list[int], chosen: list[str], with_map: bool
) -> tuple[Example, ...]:
    if not positions:
        return ()
    images = model.input_format.read(benchmark.inputs, torch.tensor(positions))
    examples = [Example(_data_uri(pixels_of(image)), name) for image, name in zip(images, chosen, strict=True)]
    if with_map and model.network.scores_are_cosines:
        examples[0] = _with_map(examples[0], model, benchmark, positions[0])
    return tuple(examples)


def _with_map(example: Example, model: ZeroShotClassifier, benchmark: Benchmark, position: int) -> Example:
    """Add the map of the attribute that was found and contributes most to the score of the chosen class."""
    explanation = explain(model, benchmark.inputs, position, benchmark.semantics)
    # A class of the table without test images may have the highest score here; the map would explain another choice.
    if explanation.maps is None or explanation.image is None or explanation.winner.name != example.chosen:
        return example
    values, attribute = explanation.maps.maps[0, 0], explanation.attributes[explanation.rows[0]]
    if explanation.one_map:
        values, attribute = explanation.maps.maps[0].mean(dim=0), f"all {len(explanation.rows)} strongest attributes"
    overlay = _overlaid(pixels_of(explanation.image), values.float().clamp(min=0).numpy())
    return Example(example.picture, example.chosen, _data_uri(overlay), attribute)


def _overlaid(pixels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Draw a map, scaled to its own peak, over the grey image, at the size of the page's images."""
    from matplotlib import colormaps  # noqa: PLC0415 - an import that training without figures never needs
    from PIL import Image  # noqa: PLC0415 - only where there are images

    peak = float(weights.max()) or 1.0
    enlarged = Image.fromarray(weights / peak).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    heat = 255 * colormaps["inferno"](np.asarray(enlarged).clip(0, 1))[:, :, :3]
    grey = Image.fromarray(pixels).convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    mixed: np.ndarray = 0.4 * np.asarray(grey, dtype=np.float32)[:, :, None] + 0.6 * heat
    return mixed.round().astype(np.uint8)


def _data_uri(pixels: np.ndarray) -> str:
    from PIL import Image  # noqa: PLC0415 - only where there are images

    image, stream, kind = Image.fromarray(pixels), io.BytesIO(), "PNG"
    if max(image.size) > TINY:
        kind = "JPEG"
        image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    image.save(stream, kind, quality=82, optimize=kind == "PNG")
    return f"data:image/{kind.lower()};base64,{base64.b64encode(stream.getvalue()).decode()}"
