"""The plot of an :class:`rezsl.classifier.Explanation`: maps of attributes, and contributions to the decision."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch.nn import functional as F

from rezsl.classifier import Explanation
from rezsl.errors import ArgumentError, shortened
from rezsl.report._plots import COLORS, new_figure, pixels_of, plain_text, save_figure
from rezsl.report._text import signed

if TYPE_CHECKING:
    from matplotlib.figure import FigureBase

COLUMNS, BARS = 4, 12
LONGEST_NAME, LONGEST_LINE = 28, 75
"""The most characters of a name above its picture, and of a line in the narrowest figure."""

MAPS = {
    "attention": "attention of attributes: brighter is more, each map scaled to its own peak",
    "gradient": "cells that raise each attribute above what the average cell does, each map scaled to its own peak",
}
SIDES = {
    "found in the image": COLORS[0],
    "rightly absent": COLORS[4],
    "for the second class": COLORS[1],
    "not an attribute": "0.6",
}
"""What a bar stands for, and its colour."""


def map_note(explanation: Explanation) -> str:
    """Return a sentence about maps that are nearly equal; an empty text where they differ."""
    if not explanation.one_map:
        return ""
    return (
        f"the maps of these {len(explanation.rows)} attributes are nearly equal (mean correlation "
        f"{explanation.likeness:.2f}), so one map stands for all"
    )


@plain_text()
def save_explanation(explanation: Explanation, path: Path, title: str = "") -> None:
    """Draw an image, the maps of attributes over it, and what decides between the best two classes.

    Where the maps are nearly equal, one is drawn, which is their mean, and a sentence gives the reason.

    Args:
        explanation: of one input.
        path: file to write; its ending (``.png``, ``.pdf``, ``.svg``) determines the format.
        title: text above the image, such as its file name.

    Raises:
        ArgumentError: the file's ending is no format of pictures.
    """
    one_map, maps = explanation.one_map, explanation.maps
    pictures = 0
    if explanation.image is not None:
        pictures = 1 + (0 if maps is None else 1 if one_map else len(explanation.rows))
    columns, rows = min(COLUMNS, pictures) or 1, -(-pictures // COLUMNS)
    bars = len(_decisive(explanation)) + 1 + (explanation.calibration != 0)
    heights = [2.55 * rows + 0.2 * one_map, 1.8 + 0.27 * bars]
    figure = new_figure(max(7.0, 2.3 * columns), sum(heights))
    if path.suffix.lower().removeprefix(".") not in figure.canvas.get_supported_filetypes():
        raise ArgumentError(
            f"path: expected a picture's name, ending in .png, .pdf or .svg, got {path}; give it one of these endings"
        )
    below: FigureBase = figure
    if pictures:
        above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=heights)[:, 0]
        cells = np.atleast_1d(above.subplots(rows, columns)).ravel()
        _draw_pictures(cells, explanation, title)
        if maps is not None:
            lines = [MAPS[maps.kind], map_note(explanation)]
            above.suptitle("\n".join(lines[: 1 + one_map]), fontsize=9, color="0.3")
    _draw_lead(below, explanation)
    save_figure(figure, path)


def _draw_pictures(cells: Any, explanation: Explanation, title: str) -> None:
    assert explanation.image is not None
    pixels = pixels_of(explanation.image)
    for axes in cells:
        axes.set_axis_off()
    # A percentage follows the name.
    winner = shortened(explanation.winner.name, LONGEST_NAME - 6)
    cells[0].imshow(pixels, interpolation="nearest")
    cells[0].set_title(
        f"{shortened(title, LONGEST_NAME)}\n{winner}, {100 * explanation.winner.probability:.0f} %".strip(), fontsize=9
    )
    if explanation.maps is None:
        return
    grey = pixels.mean(axis=2)
    maps, rows = explanation.maps.maps[0], explanation.rows
    names = [shortened(explanation.attributes[row], LONGEST_NAME) for row in rows]
    shares = explanation.share[list(rows)]
    if explanation.one_map:
        maps, shares, names = (
            maps.mean(dim=0, keepdim=True),
            shares.sum(dim=0, keepdim=True),
            [f"all {len(rows)} attributes"],
        )
    for axes, cellwise, name, share in zip(cells[1:], maps, names, shares.tolist(), strict=False):
        size = (len(grey), len(grey))
        smooth = F.interpolate(cellwise[None, None].float(), size, mode="bicubic", align_corners=False).clamp(min=0)
        axes.imshow(grey, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.imshow(smooth[0, 0].numpy(), cmap="inferno", alpha=0.6, vmin=0, interpolation="nearest")
        # 1 means equal attention everywhere; the number shows which maps have no contrast.
        below = f"peak {float(cellwise.max()) * cellwise.numel():.1f} × even"
        if explanation.maps.kind == "gradient":
            below = f"{signed(share)} in score"
        axes.set_title(f"{name}\n{below}", fontsize=9)


def _draw_lead(panel: "FigureBase", explanation: Explanation) -> None:
    """Draw what each attribute adds to the lead of the best class over the second, the largest first."""
    axes = panel.subplots()
    order = _decisive(explanation)
    names = [shortened(explanation.attributes[row], LONGEST_NAME) for row in order]
    values = [float(explanation.lead[row]) for row in order]
    found, absent, against, other = SIDES
    sides = [
        against if value < 0 else found if explanation.found[row] else absent
        for row, value in zip(order, values, strict=True)
    ]
    rest = float(explanation.lead.sum()) - sum(values)
    if abs(rest) >= 0.005:
        names.append(f"the other {len(explanation.attributes) - len(order)}")
        values.append(rest)
        sides.append(other)
    if explanation.calibration:
        names.append("calibration γ")
        values.append(explanation.calibration)
        sides.append(other)
    bars = axes.barh(range(len(values)), values, color=[SIDES[side] for side in sides], height=0.7)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(values)), names, fontsize=9)
    axes.invert_yaxis()
    axes.margins(x=0.14)
    for place, value in enumerate(values):
        axes.annotate(
            signed(value), (value, place), xytext=(4 if value >= 0 else -4, 0), textcoords="offset points",
            ha="left" if value >= 0 else "right", va="center", fontsize=8,
        )  # fmt: skip
    key = {side: bar for side, bar in zip(sides, bars, strict=True) if side != other}
    if key:
        ordered = [side for side in SIDES if side in key]
        panel.legend(
            [key[side] for side in ordered], ordered, loc="outside lower center", ncols=3, frameon=False, fontsize=9
        )
    axes.spines[["top", "right", "left"]].set_visible(False)
    total = explanation.winner.score - explanation.runner_up.score
    first, second = (
        f"“{shortened(ranked.name, LONGEST_NAME)}” ({'seen' if ranked.seen else 'unseen'})"
        for ranked in (explanation.winner, explanation.runner_up)
    )
    question = (f"Why {first}", f"and not {second}: ahead by {total:.2f}")
    # Above the whole panel, because the axes beside long names are too narrow for it.
    panel.suptitle(
        (" " if len(" ".join(question)) <= LONGEST_LINE else "\n").join(question), x=0.01, ha="left", fontsize=10
    )
    axes.set_xlabel("share of the lead in score", fontsize=9)


def _decisive(explanation: Explanation) -> list[int]:
    """Return the attributes that contribute most to the lead: first those found, then those absent, then the others.

    An attribute that both classes share adds nothing.
    """
    order = explanation.lead.abs().argsort(descending=True)[:BARS].tolist()
    lead, found = explanation.lead.tolist(), explanation.found.tolist()
    return sorted(
        (row for row in order if abs(lead[row]) >= 0.005),
        key=lambda row: (lead[row] < 0, lead[row] > 0 and not found[row]),
    )
