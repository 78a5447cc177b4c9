"""The explanation of one prediction: the map of each attribute, and its share in the decision."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from rezsl.classifier._answers import Ranked, problem_of
from rezsl.classifier._classifier import Inputs, ZeroShotClassifier
from rezsl.classifier._maps import AttributeMaps, MapKind, attribute_maps
from rezsl.data import ImageFormat, as_inputs
from rezsl.errors import ArgumentError, DataError, check_at_least, name_some
from rezsl.functional import l2_normalize
from rezsl.functional.maps import mean_correlation
from rezsl.semantics import ClassSemantics, did_you_mean, plain_name

NEARLY_EQUAL = 0.9
"""The mean correlation above which the maps of several attributes count as one map."""

WEAK = 0.5
"""The share of the class's own value below which an attribute counts as weakly found in an image."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """The explanation of one prediction.

    The score of a class is a sum over attributes: scale · Σ_s p_s a_s with the directions p (predicted) and a (the
    class's), both of length 1, less γ for a seen class. So every attribute has a share of a score, and of the lead of
    one class over another. A positive share has one of two reasons: the attribute was found in the image and the class
    has it (p and a above 0), or it was not found and the class lacks it (both below 0).

    Attributes:
        winner: the predicted class.
        runner_up: the class with the second highest score.
        attributes: names of the S attributes.
        predicted: predicted direction p, ``[S]``.
        of_winner: direction of the winner's semantics, ``[S]``.
        of_runner_up: direction of the runner-up's semantics, ``[S]``.
        share: share of each attribute in the winner's score, ``[S]``; sums to the score without γ.
        lead: share of each attribute in the winner's lead over the runner-up, ``[S]``.
        calibration: the part of this lead that γ makes: γ if only the runner-up is seen, −γ if only the winner is,
            otherwise 0.
        image: the pixels that the model received, or None for features.
        rows: positions of the K attributes whose maps are shown: those that were asked for, or those that were found in
            the image and raise the winner's score most.
        maps: their maps, with a batch of one image; None for features.
        strangeness: of the input, as in :class:`Answer`; NaN where the model has no limit.
        gamma: γ of the model, which is subtracted from the score of a seen class.
    """

    winner: Ranked
    runner_up: Ranked
    attributes: tuple[str, ...]
    predicted: Float[Tensor, "S"]
    of_winner: Float[Tensor, "S"]
    of_runner_up: Float[Tensor, "S"]
    share: Float[Tensor, "S"]
    lead: Float[Tensor, "S"]
    calibration: float
    image: UInt8[Tensor, "channels size size"] | None
    rows: tuple[int, ...]
    maps: AttributeMaps | None
    strangeness: float = math.nan
    gamma: float = 0.0

    @property
    def of_gamma(self) -> float:
        """The part of the winner's score that γ makes: −γ for a seen class, otherwise 0."""
        return -self.gamma if self.winner.seen else 0.0

    @property
    def far(self) -> bool:
        """Whether the input is far from every description, so that :meth:`ZeroShotClassifier.classify` refuses it."""
        return self.strangeness > 0

    @property
    def found(self) -> Bool[Tensor, "S"]:
        """Whether each attribute was found in the image: predicted above 0, ``[S]``."""
        return self.predicted > 0

    @property
    def weak(self) -> Bool[Tensor, "S"]:
        """Whether each attribute was found, but with less than half of the winner's own value, ``[S]``."""
        return self.found & (self.predicted < WEAK * self.of_winner)

    def in_favour(self, found: bool) -> list[int]:
        """Return the attributes that raise the winner's score, the largest share first.

        Args:
            found: return those that were found in the image, as the class has them; or else those that were not found,
                as the class lacks them.
        """
        return _in_favour(self.share, self.found == found)

    @property
    def likeness(self) -> float:
        """The mean correlation of the maps; NaN for fewer than two maps."""
        return float("nan") if self.maps is None else mean_correlation(self.maps.maps[0])

    @property
    def one_map(self) -> bool:
        """Whether the maps are so alike that one stands for all."""
        return self.likeness > NEARLY_EQUAL

    def to_json(self) -> dict[str, Any]:
        """Return the explanation as values of JSON."""

        def described(chosen: Iterable[int]) -> list[dict[str, Any]]:
            return [
                {
                    "attribute": self.attributes[row],
                    "share": float(self.share[row]),
                    "lead": float(self.lead[row]),
                    "predicted": float(self.predicted[row]),
                    "class": float(self.of_winner[row]),
                    "weak": bool(self.weak[row]),
                }
                for row in chosen
            ]

        against = [row for row in self.share.argsort().tolist() if self.share[row] < 0]
        maps = None
        if self.maps is not None:
            cells = zip(self.rows, self.maps.maps[0].tolist(), strict=True)
            maps = {
                "kind": self.maps.kind,
                "mean_correlation": None if math.isnan(self.likeness) else self.likeness,
                "nearly_equal": self.one_map,
                "cells": {self.attributes[row]: values for row, values in cells},
            }
        unknown = math.isnan(self.strangeness)
        return {
            "strangeness": None if unknown else self.strangeness,
            "far": None if unknown else self.far,
            "winner": self.winner._asdict(),
            "runner_up": self.runner_up._asdict(),
            "score_of_attributes": float(self.share.sum()),
            "score_of_gamma": self.of_gamma,
            "calibration": self.calibration,
            "found": described(self.in_favour(found=True)),
            "rightly_absent": described(self.in_favour(found=False)),
            "against": described(against),
            "maps": maps,
        }


def explain(
    model: ZeroShotClassifier,
    inputs: Inputs,
    position: int = 0,
    candidates: ClassSemantics | None = None,
    kind: MapKind = "gradient",
    semantics: Sequence[str] = (),
    top: int = 7,
) -> Explanation:
    """Explain the class of one input.

    Args:
        model: a trained classifier.
        inputs: as for :meth:`ZeroShotClassifier.classify`.
        position: index of the input to explain.
        candidates: the classes to choose among; None means the classes of the training table.
        kind: the kind of the maps, see :func:`attribute_maps`. On photos of birds the gradient comes within 7 % of the
            photo's side of the part that an attribute names three times as often as attention does.
        semantics: names of the attributes whose maps are made; none stands for those that were found in the image and
            have the largest shares of the winner's score.
        top: the most maps where no attributes are named, at least 1.

    Raises:
        DataError: there are fewer than two candidate classes, or the scores are not finite.
        ArgumentError: the model's scores are not cosines, so that attributes have no shares in them; or there is no
            input at this position; or an attribute is unknown; or maps of attention are asked of a model without it.
    """
    inputs = as_inputs(inputs)
    if not 0 <= position < len(inputs):
        raise ArgumentError(f"position: expected one of {len(inputs)} inputs, from 0, got {position}")
    _check_explainable(model, top)
    index = torch.tensor([position])
    outputs, strangeness = model.examine(inputs, index=index, candidates=candidates)
    explanation = explain_outputs(model, outputs, float(strangeness[0]), candidates, semantics, top)
    if not isinstance(model.input_format, ImageFormat):
        return explanation
    image, rows = model.input_format.read(inputs, index), explanation.rows
    columns = torch.tensor([rows], dtype=torch.long, device=model.device)
    maps = attribute_maps(model, image.to(model.device), columns, kind) if rows else None
    if maps is not None:
        maps = AttributeMaps(maps.kind, maps.maps.cpu(), maps.elsewhere.cpu())
    return replace(explanation, image=image[0], maps=maps)


def explain_outputs(
    model: ZeroShotClassifier,
    outputs: Float[Tensor, "1 E"],
    strangeness: float = math.nan,
    candidates: ClassSemantics | None = None,
    semantics: Sequence[str] = (),
    top: int = 7,
) -> Explanation:
    """Explain the class of one input by what :meth:`ZeroShotClassifier.examine` computed of it, without maps.

    The arguments and the errors are those of :func:`explain`.
    """
    _check_explainable(model, top)
    table = model.semantics if candidates is None else model.semantics.with_classes_of(candidates)
    if len(table.classes) < 2:
        raise DataError(f"classes: expected at least two to choose among, got {len(table.classes)}; leave more of them")
    winner, runner_up = model.rank(model.scores(outputs, table), table.classes, 2)[0]
    if problem := problem_of("input", [winner]):
        raise DataError(problem)
    values = table.values[table.index([winner.name, runner_up.name])]
    predictions, directions = (l2_normalize(side) for side in model.compared(outputs, values))
    predicted = predictions[0]
    share, lead = (model.scale * predicted * side for side in (directions[0], directions[0] - directions[1]))
    return Explanation(
        winner=winner,
        runner_up=runner_up,
        attributes=model.semantics.attributes,
        predicted=predicted,
        of_winner=directions[0],
        of_runner_up=directions[1],
        share=share,
        lead=lead,
        calibration=model.gamma * (runner_up.seen - winner.seen),
        image=None,
        rows=tuple(_named(semantics, model.semantics.attributes) or _in_favour(share, predicted > 0)[:top]),
        maps=None,
        strangeness=strangeness,
        gamma=model.gamma,
    )


def _check_explainable(model: ZeroShotClassifier, top: int) -> None:
    check_at_least(1, top=top)
    if not model.network.scores_are_cosines:
        raise ArgumentError(
            f"model: expected one whose class scores are cosines, got {type(model.network).__name__}, whose scores "
            "are no sums over attributes; explain a model with cosine scores"
        )


def _in_favour(share: Float[Tensor, "S"], among: Bool[Tensor, "S"]) -> list[int]:
    chosen = (share > 0) & among
    return [row for row in share.argsort(descending=True).tolist() if chosen[row]]


def _named(names: Sequence[str], known: tuple[str, ...]) -> list[int]:
    names = [plain_name(name) for name in names]
    if unknown := [name for name in names if name not in known]:
        hint = did_you_mean(unknown, [name for name in known if name not in names])
        raise ArgumentError(
            f"semantics: expected attributes of the model, got {name_some(unknown)}{hint}; correct the name"
        )
    return [known.index(name) for name in names]
