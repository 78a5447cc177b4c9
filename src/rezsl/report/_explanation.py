"""The plot of an :class:`rezsl.classifier.Explanation`: attention maps, and contributions to the decision."""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch.nn import functional as F

from rezsl.classifier import Explanation
from rezsl.errors import ArgumentError, check_at_least, name_some
from rezsl.report._plots import COLORS, new_figure, pixels_of, plain_text
from rezsl.report._text import shortened

if TYPE_CHECKING:
    from matplotlib.figure import FigureBase

COLUMNS, BARS = 4, 12
LONGEST_NAME, LONGEST_LINE = 28, 75
"""The most characters of a name above its picture, and of a line in the narrowest figure."""

MAPS = "attention of attributes: brighter is more, each map scaled to its own peak"


@plain_text()
def save_explanation(
    explanation: Explanation, path: Path, semantics: Sequence[str] = (), top: int = 7, title: str = ""
) -> None:
    """Draw an image, the attention of some attributes over it, and what decides between the best two classes.

    Args:
        explanation: of one input.
        path: file to write; its ending (``.png``, ``.pdf``, ``.svg``) determines the format.
        semantics: names of the attributes whose attention is drawn; none stands for those with the largest share of
            the score of the best class.
        top: number of attributes to draw where none are named.
        title: text above the image, such as its file name.

    Raises:
        ArgumentError: an attribute is unknown, or the file's ending is no format of pictures.
    """
    if unknown := [name for name in semantics if name not in explanation.attributes]:
        near = get_close_matches(unknown[0], explanation.attributes, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ArgumentError(f"semantics: expected attributes of the model, got {name_some(unknown)}{hint}")
    check_at_least(1, top=top)
    shown = [explanation.attributes.index(name) for name in semantics]
    shown = shown or explanation.share.argsort(descending=True)[:top].tolist()
    has_maps = explanation.attention is not None
    pictures = (1 + len(shown) if has_maps else 1) if explanation.image is not None else 0
    columns, rows = min(COLUMNS, pictures) or 1, -(-pictures // COLUMNS)
    bars = len(_decisive(explanation)) + 1 + (explanation.calibration != 0)
    heights = [2.55 * rows, 1.5 + 0.27 * bars]
    figure = new_figure(max(7.0, 2.3 * columns), sum(heights))
    if path.suffix.lower().removeprefix(".") not in figure.canvas.get_supported_filetypes():
        raise ArgumentError(f"path: expected a picture's name, ending in .png, .pdf or .svg, got {path}")
    below: FigureBase = figure
    if pictures:
        above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=heights)[:, 0]
        cells = np.atleast_1d(above.subplots(rows, columns)).ravel()
        _draw_pictures(cells, explanation, shown if has_maps else [], title)
        if has_maps:
            above.suptitle(MAPS, fontsize=9, color="0.3")
    _draw_lead(below, explanation)
    figure.savefig(path)


def _draw_pictures(cells: Any, explanation: Explanation, shown: Sequence[int], title: str) -> None:
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
    grey = pixels.mean(axis=2)
    for axes, row in zip(cells[1:], shown, strict=False):
        assert explanation.attention is not None
        weights = explanation.attention[row]
        size = (len(grey), len(grey))
        smooth = F.interpolate(weights[None, None].float(), size, mode="bicubic", align_corners=False).clamp(min=0)
        axes.imshow(grey, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.imshow(smooth[0, 0].numpy(), cmap="inferno", alpha=0.6, interpolation="nearest")
        # 1 means equal attention everywhere; the number shows which maps have no contrast.
        peak = float(weights.max()) * weights.numel()
        axes.set_title(f"{shortened(explanation.attributes[row], LONGEST_NAME)}\npeak {peak:.1f} × even", fontsize=9)


def _draw_lead(panel: "FigureBase", explanation: Explanation) -> None:
    """Draw what each attribute adds to the lead of the best class over the second, the largest first."""
    axes = panel.subplots()
    order = _decisive(explanation)
    names = [shortened(explanation.attributes[row], LONGEST_NAME) for row in order]
    values = [float(explanation.lead[row]) for row in order]
    rest = float(explanation.lead.sum()) - sum(values)
    if abs(rest) >= 0.005:
        names.append(f"the other {len(explanation.attributes) - len(order)}")
        values.append(rest)
    if explanation.calibration:
        names.append("calibration γ")
        values.append(explanation.calibration)
    colors = [COLORS[0] if value >= 0 else COLORS[1] for value in values]
    axes.barh(range(len(values)), values, color=colors, height=0.7)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(values)), names, fontsize=9)
    axes.invert_yaxis()
    axes.margins(x=0.14)
    for place, value in enumerate(values):
        axes.annotate(
            f"{value:+.2f}", (value, place), xytext=(4 if value >= 0 else -4, 0), textcoords="offset points",
            ha="left" if value >= 0 else "right", va="center", fontsize=8,
        )  # fmt: skip
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
    axes.set_xlabel("share of the lead in score (blue favours the first class, orange the second)", fontsize=9)


def _decisive(explanation: Explanation) -> list[int]:
    """Return the attributes that contribute most to the lead; an attribute that both classes share adds nothing."""
    order = explanation.lead.abs().argsort(descending=True)[:BARS].tolist()
    return [row for row in order if abs(float(explanation.lead[row])) >= 0.005]
