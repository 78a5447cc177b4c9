"""Pointing accuracy: whether the maximum of an attribute's map lies on the part that the attribute's name speaks of."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rezsl.errors import ArgumentError, name_some


@dataclass(frozen=True)
class Pointing:
    """How often the maps of attributes point at one part.

    Attributes:
        images: number of images in which the part is visible and an attribute of it is counted.
        hits: share of maps whose maximum is near the part: a mean over the attributes of each image, then over images.
        centre: the same for the middle of the image in place of the maximum.
        chance: the same for a cell that is drawn at random.
    """

    images: int
    hits: float
    centre: float
    chance: float


def parts_of_attributes(
    attributes: Sequence[str], parts: Sequence[str], also: Mapping[str, str] | None = None
) -> list[tuple[int, ...]]:
    """Return the positions of the parts that each attribute's name speaks of; none where it speaks of no part.

    A name speaks of a part if it contains the part's last word, such as ``has_wing_color::red`` of ``left wing`` and
    ``right_wing``. Everything but letters separates words. What follows ``::`` is the attribute's value, whose words do
    not count.

    Args:
        attributes: names of the S attributes.
        parts: names of the P parts.
        also: further words that stand for a part's last word, such as ``{"bill": "beak"}``.

    >>> parts_of_attributes(["has_bill_shape::hooked", "has_size::small"], ["beak", "left leg"], {"bill": "beak"})
    [(0,), ()]
    """
    also = also or {}
    found = []
    for name in attributes:
        words = {also.get(word, word) for word in _words(name.partition("::")[0])}
        found.append(tuple(place for place, part in enumerate(parts) if words.intersection(_words(part)[-1:])))
    return found


def _words(name: str) -> list[str]:
    """Return the words of a name in small letters; everything but letters separates them."""
    return re.findall(r"[^\W\d_]+", name.lower())


def pointing_accuracy(
    maps: Float[Tensor, "N S side side"],
    places: Float[Tensor, "N P 2"],
    parts: Sequence[str],
    parts_of: Sequence[tuple[int, ...]],
    counted: Bool[Tensor, "N S"],
    tolerance: float = 0.1,
) -> dict[str, Pointing]:
    """Return the pointing accuracy for each part, or pair of parts, that attributes speak of.

    A map hits if the middle of the cell with its maximum is at most ``tolerance`` from the part, in x and in y. Where
    several parts are meant (both wings), the nearest visible one counts. The centre and chance have the same tolerance.

    Args:
        maps: a map for each image and attribute.
        places: x and y of each part, as shares of the image from its left and upper side; NaN where it is not visible.
        parts: names of the P parts.
        parts_of: the parts that each attribute speaks of, see :func:`parts_of_attributes`.
        counted: which attributes count in which image, such as those that its class has.
        tolerance: as a share of the image's side, above 0.

    Raises:
        ArgumentError: the shapes do not belong together, the tolerance is not positive, or no attribute names a part.
    """
    if not tolerance > 0:
        raise ArgumentError(f"tolerance: expected a share of the image's side above 0, got {tolerance}")
    _check_shapes(maps, places, parts, parts_of, counted)
    side = maps.shape[2]
    named = [group for group in dict.fromkeys(parts_of) if group]
    if not named:
        raise ArgumentError(
            f"parts_of: expected an attribute that names a part, got none for {name_some([*parts])}"
            "; name a part for one of them at least"
        )
    peaks = maps.flatten(2).argmax(dim=2)
    middles = (torch.stack([peaks % side, peaks // side], dim=2) + 0.5) / side
    axis = (torch.arange(side) + 0.5) / side
    cells = torch.stack([axis.repeat(side), axis.repeat_interleave(side)], dim=1)
    result = {}
    for group in named:
        marked = places[:, list(group)]
        mine = torch.tensor([other == group for other in parts_of])
        votes = counted[:, mine].float()
        used = (votes.sum(dim=1) > 0) & ~marked.isnan().any(dim=2).all(dim=1)
        marked, votes, chosen = marked[used], votes[used], middles[used][:, mine]
        everywhere = cells.expand(len(marked), -1, -1)
        middle = torch.full((len(marked), 1, 2), 0.5)
        result["/".join(parts[place] for place in group)] = Pointing(
            images=len(marked),
            hits=_mean((_near(chosen, marked, tolerance) * votes).sum(dim=1) / votes.sum(dim=1)),
            centre=_mean(_near(middle, marked, tolerance).float()),
            chance=_mean(_near(everywhere, marked, tolerance).float()),
        )
    return result


def _near(points: Float[Tensor, "K Q 2"], places: Float[Tensor, "K P 2"], tolerance: float) -> Bool[Tensor, "K Q"]:
    """Return which points are near one of the places of their image, up to a rounding error."""
    # The distance to a part that is not visible is NaN, which is never within reach.
    away = (points[:, :, None] - places[:, None]).abs().amax(dim=3)
    return (away <= tolerance + 1e-6).any(dim=2)


def _mean(share: Tensor) -> float:
    return float(share.mean()) if len(share) else math.nan


def _check_shapes(
    maps: Tensor, places: Tensor, parts: Sequence[str], parts_of: Sequence[tuple[int, ...]], counted: Tensor
) -> None:
    count, columns = maps.shape[:2]
    for name, found, expected in (
        ("places", tuple(places.shape), (count, len(parts), 2)),
        ("parts_of", (len(parts_of),), (columns,)),
        ("counted", tuple(counted.shape), (count, columns)),
    ):
        if found != expected:
            raise ArgumentError(
                f"{name}: expected the shape {expected} for maps of {count} images and {columns} attributes and "
                f"{len(parts)} parts, got {found}; compute all of them for the same images, attributes and parts"
            )
