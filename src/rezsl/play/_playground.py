"""Answers to the requests of the page: how a photo is recognised by a table that a person changes, and why."""

import base64
import io
import math
import secrets
import tempfile
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from rezsl.classifier import Explanation, MapKind, ZeroShotClassifier, attribute_maps, explain_outputs, problem_of
from rezsl.data import ImageFormat
from rezsl.errors import DataError, check_choice, name_some
from rezsl.functional.maps import mean_correlation
from rezsl.models import HasAttention
from rezsl.play._changes import changed
from rezsl.semantics import ClassSemantics

MOST_PHOTOS = 24
"""Photos that are kept; the one that was used longest ago is forgotten first."""

MOST_MAPS = 12
"""Attributes whose maps are made at a time."""

ATTRIBUTES = 8
"""Attributes of each kind that an answer lists: found, rightly absent, and against the class."""


class _Photo(NamedTuple):
    """What is kept of a photo, from which every changed table is scored.

    Attributes:
        image: the pixels that the network receives.
        outputs: the network's outputs.
        features: by which a photo of something else is recognised.
    """

    image: UInt8[Tensor, "1 channels size size"]
    outputs: Float[Tensor, "1 E"]
    features: Float[Tensor, "1 F"]


class Playground:
    """A model of photos, the photos that a page sent, and their answers for any table.

    Args:
        model: a trained model, which reads photos.
        candidates: the classes of the page at its beginning; None stands for those of the training table.

    Raises:
        DataError: the model reads features and not photos.
    """

    def __init__(self, model: ZeroShotClassifier, candidates: ClassSemantics | None = None) -> None:
        self.model, self.format = model.eval(), check_photos(model)
        self.table = model.semantics if candidates is None else model.semantics.with_classes_of(candidates)
        self._photos = OrderedDict[str, _Photo]()

    @property
    def map_kinds(self) -> tuple[str, ...]:
        """The kinds of maps that the model has; none where attributes have no shares in the scores."""
        if not self.model.network.scores_are_cosines:
            return ()
        has_attention = issubclass(type(self.model.network), HasAttention)
        return tuple(kind for kind in reversed(get_args(MapKind)) if has_attention or kind != "attention")

    def add(self, content: bytes) -> dict[str, Any]:
        """Keep a photo, and return its key and the picture that the network receives, as a data URL.

        Args:
            content: the bytes of an image file, of any format that :func:`rezsl.data.read_image` reads.

        Raises:
            DataError: it is no image, or has too many pixels; the message is one line for the person.
        """
        # Only files are read with all the checks of formats and sizes.
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "photo"
            path.write_bytes(content)
            try:
                image = self.format.read([path], torch.tensor([0]))
            except DataError as error:
                raise DataError(str(error).replace(str(path), "photo")) from error
        with torch.inference_mode():
            (regions, features), *_ = self.model.describe(image)
            photo = _Photo(image, self.model.network(regions).cpu(), features)
        key = secrets.token_urlsafe(12)
        self._photos[key] = photo
        if len(self._photos) > MOST_PHOTOS:
            self._photos.popitem(last=False)
        return {"photo": key, "picture": _picture(image[0])}

    def answer(self, key: str, changes: Any, top: int) -> dict[str, Any]:
        """Return the best classes of a photo among those of the changed table, and the attributes that decided.

        Args:
            key: of a photo, as :meth:`add` returned it.
            changes: as for :func:`changed`.
            top: the number of classes.

        Raises:
            DataError: the photo is not kept, the changes give no table, or their scores are not finite.
        """
        photo, model = self._photo(key), self.model
        table = changed(self.table, changes)
        with torch.inference_mode():
            strangeness = float(model.strangeness(photo.features, photo.outputs.to(model.device), table)[0])
            ranked = model.rank(model.scores(photo.outputs, table), table.classes, top)[0]
            if problem := problem_of("photo", ranked):
                raise DataError(problem)
            reasons = None
            if model.network.scores_are_cosines and len(table.classes) > 1:
                reasons = _reasons(explain_outputs(model, photo.outputs, strangeness, table, top=MOST_MAPS))
            predicted = model.attributes_of(photo.outputs)[0]
        return {
            "classes": [item._asdict() for item in ranked],
            "count": len(table.classes),
            "far": strangeness > 0,
            "strangeness": None if math.isnan(strangeness) else strangeness,
            "reasons": reasons,
            "predicted": predicted.tolist(),
        }

    def maps(self, key: str, attributes: Sequence[Any], kind: Any) -> dict[str, Any]:
        """Return where in a photo the network reads attributes: a square of numbers of each, by its name.

        Raises:
            DataError: the photo is not kept, or the model has no such attribute, or they are too many.
            ArgumentError: the model has no maps of this kind.
        """
        photo, known = self._photo(key), self.model.semantics.attributes
        check_choice(MapKind, kind=kind)
        unknown = [name for name in attributes if name not in known]
        if unknown or not 1 <= len(attributes) <= MOST_MAPS or not self.map_kinds:
            got = name_some([*map(str, unknown or attributes)])
            raise DataError(f"attributes: expected 1 to {MOST_MAPS} of the model's, got {got}; reload the page")
        columns = torch.tensor([[known.index(name) for name in attributes]])
        device = self.model.device
        maps = attribute_maps(self.model, photo.image.to(device), columns.to(device), kind).maps[0].cpu()
        cells = {name: values.tolist() for name, values in zip(attributes, maps, strict=True)}
        likeness = mean_correlation(maps)
        return {"cells": cells, "likeness": None if math.isnan(likeness) else likeness}

    def _photo(self, key: str) -> _Photo:
        photo = self._photos.get(key)
        if photo is None:
            raise DataError("photo: expected one that is kept, got one that was forgotten; choose the photo again")
        self._photos.move_to_end(key)
        return photo


def check_photos(model: ZeroShotClassifier) -> ImageFormat:
    """Return the format in which a model reads photos; one of features is a DataError."""
    if not isinstance(model.input_format, ImageFormat):
        raise DataError(
            "model: expected one of photos, got one of features, which a page cannot compute from a photo; train "
            "on photos, or use rezsl predict with a file of features"
        )
    return model.input_format


def _reasons(explanation: Explanation) -> dict[str, Any]:
    content = explanation.to_json()
    parts = {part: content[part][:ATTRIBUTES] for part in ("found", "rightly_absent", "against")}
    return parts | {"winner": explanation.winner.name, "of_gamma": explanation.of_gamma}


def _picture(image: UInt8[Tensor, "channels size size"]) -> str:
    """Return an image as a data URL, without loss."""
    from PIL import Image  # noqa: PLC0415 - an optional package

    pixels = np.ascontiguousarray(image.expand(3, -1, -1).permute(1, 2, 0).cpu().numpy())
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
