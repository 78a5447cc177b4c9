"""Plots of evaluations and of comparisons, as files."""

import math
import textwrap
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

from rezsl.errors import needs, shortened
from rezsl.evaluation import Evaluation
from rezsl.experiments.results import Comparison, Row
from rezsl.files import local_path
from rezsl.metrics import Metric
from rezsl.report._text import named_with_protocol
from rezsl.writing import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, whose colours differ for colour-blind readers too.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")

NAMED = 60
"""The most classes, and the most attributes, whose names stand beside an error matrix."""

WORST, LONGEST_NAME = 12, 32
"""The number of columns that are named where there are too many to name all, and the most characters of a name."""

LONGEST_LABEL = 40
"""The most characters of a name beside or below an error matrix, which would otherwise push the matrix aside."""

FALLBACKS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Micro Hei", "PingFang SC",
    "Hiragino Sans", "Microsoft YaHei", "SimHei", "Yu Gothic", "MS Gothic", "Malgun Gothic", "Apple SD Gothic Neo",
    "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Devanagari", "Noto Sans Thai", "Arial Unicode MS",
)  # fmt: skip
"""Fonts of Linux, macOS and Windows with the letters of other scripts, such as Chinese, Japanese and Korean."""

PANELS = {
    "H": "H on test ({unit}), at the γ chosen {where}",
    "error_spread": "spread of errors over attributes ({unit})",
}
"""Words below the plots of some metrics; another metric has its title there."""


@contextmanager
def plain_text(settings: Any = None) -> Iterator[None]:
    """Apply settings of Matplotlib, and draw names as they are: text between two $ would become a formula, or fail."""
    with needs("report", "plots"):
        from matplotlib import rc_context  # noqa: PLC0415 - an import that training without figures never needs

    # Tick labels are whole numbers, never differences from one that stands at the end of the axis.
    fixed: Any = {
        "text.parse_math": False, "font.family": _families(),
        "axes.formatter.useoffset": False, "axes.formatter.limits": (-7, 7),
    }  # fmt: skip
    with rc_context({**fixed, **(settings or {})}), warnings.catch_warnings():
        # Where no font of the system has a letter, a box stands in its place; a warning would not help.
        warnings.filterwarnings("ignore", r"Glyph .* missing from", UserWarning)
        yield


def _families() -> list[str]:
    """Return Matplotlib's own font, and after it those of this system that have the letters of other scripts."""
    from matplotlib.font_manager import fontManager  # noqa: PLC0415 - as above

    there = {entry.name for entry in fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in FALLBACKS if name in there)]


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure of Matplotlib, with its size in inches, inside :func:`plain_text`."""
    # Not by pyplot, which would keep figures in memory and change the caller's backend.
    from matplotlib.figure import Figure  # noqa: PLC0415 - an import that training without figures never needs

    return Figure(figsize=(width, height), dpi=130, layout="constrained")


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a figure atomically, as Matplotlib would name it: a path without an ending gets that of a PNG file."""
    path, content = local_path(path), BytesIO()
    path = path if path.suffix else path.with_name(f"{path.name}.png")
    figure.savefig(content, format=path.suffix[1:])
    write_atomically(path, content.getvalue())


def widen_axes(figure: "Figure") -> None:
    """Give every axis a range that is wider than rounding, so that equal values have no tick labels such as 1e-17."""
    for axes in figure.axes:
        for low, high, widen in ((*axes.get_xlim(), axes.set_xlim), (*axes.get_ylim(), axes.set_ylim)):
            if abs(high - low) < 1e-6 * max(1.0, abs(low), abs(high)):
                widen(low - 0.5 * (low != 0), high + 0.5)


def pixels_of(image: UInt8[Tensor, "channels height width"]) -> NDArray[np.uint8]:
    """Return an image as ``[height, width, 3]``; a grey one has three equal channels."""
    pixels = image.cpu().permute(1, 2, 0).numpy()
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels


@plain_text()
def save_curve(evaluations: Mapping[str, Evaluation], path: Path) -> None:
    """Draw the seen-unseen curves of one or more models, with the chosen and the best working points."""
    figure = new_figure(6.4, 5.2)
    axes = figure.subplots()
    for color, (name, evaluation) in zip(COLORS * len(evaluations), evaluations.items(), strict=False):
        label = f"{named_with_protocol(name, evaluation.protocol)}  (AUSUC {100 * evaluation.ausuc:.1f} %)"
        unseen, seen = (100 * accuracy.numpy() for accuracy in (evaluation.curve.unseen, evaluation.curve.seen))
        axes.plot(unseen, seen, color=color, linewidth=2, label=label, zorder=2)
        for point, marker, size, layer in ((evaluation.point, "o", 9, 4), (evaluation.oracle, "*", 13, 3)):
            place = ([100 * point.unseen], [100 * point.seen])
            axes.plot(*place, marker, color=color, markersize=size, markeredgecolor="white", zorder=layer)
    if any(evaluation.protocol == "honest" for evaluation in evaluations.values()):
        axes.plot([], [], "o", color="0.35", label="γ chosen without test images")
    axes.plot([], [], "*", color="0.35", markersize=11, label="γ best on test (oracle)")
    axes.set(xlabel="accuracy on unseen classes, U (%)", ylabel="accuracy on seen classes, S (%)")
    axes.set(title="Seen-unseen curve", xlim=(0, 102), ylim=(0, 102))
    axes.grid(color="0.9", zorder=0)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), frameon=False)
    save_figure(figure, path)


@plain_text()
def save_error_matrix(evaluation: Evaluation, path: Path) -> None:
    """Draw the class × attribute error matrix above the class semantics, with unseen classes below a line."""
    order = sorted(range(len(evaluation.classes)), key=lambda row: not evaluation.is_seen[row])
    names = [shortened(evaluation.classes[row], LONGEST_LABEL) for row in order]
    class_names = names if len(order) <= NAMED else []
    by_error = evaluation.error_matrix.mean(dim=0).argsort(descending=True).numpy()
    errors = 1000 * evaluation.error_matrix.numpy()[order][:, by_error]
    values = evaluation.class_semantics.numpy()[order][:, by_error]
    named = len(by_error) <= NAMED
    beside = 0.06 * max(map(len, class_names), default=0)
    width = min(24.0, 3.5 + 0.21 * len(by_error) + beside) if named else 14.0
    room = width - beside - 1.5
    height = 2 * min(11.0, max(1.6, 0.24 * len(order))) + (3.0 if named else 1.6)
    figure = new_figure(width, height)
    above, below = figure.subplots(2)
    for axes, matrix, title, color_map in (
        (
            above,
            errors,
            "Error of each class in each attribute, squared, directions of length 1 (×10⁻³)",
            "magma_r",
        ),
        (below, values, "Class semantics, rows of length 1", "Blues"),
    ):
        image = axes.imshow(matrix, aspect="auto", interpolation="nearest", **_colors(matrix, color_map))
        # Names of columns stand above the left part of a matrix whose columns are too narrow for a name each.
        axes.set_title(_title(title, room), loc="left" if named or axes is below else "right", fontsize=11)
        axes.axhline(sum(evaluation.is_seen) - 0.5, color="black", linewidth=1.2)
        axes.set_yticks(range(len(class_names)), class_names, fontsize=8)
        axes.set_xticks([])
        bottom, top = image.get_clim()
        beyond = ("min" if matrix.min() < bottom else "") + ("max" if matrix.max() > top else "")
        extend = {"": "neither", "minmax": "both"}.get(beyond, beyond)
        figure.colorbar(image, ax=axes, pad=0.01, fraction=0.03, extend=extend)
    if named:
        attributes = [shortened(evaluation.attributes[column], LONGEST_LABEL) for column in by_error]
        below.set_xticks(range(len(by_error)), attributes, rotation=90, fontsize=8)
    else:
        _name_worst(above, [evaluation.attributes[column] for column in by_error[:WORST]], len(by_error))
    label = f"{len(by_error)} attributes, the worst predicted first; unseen classes below the line"
    below.set_xlabel(_title(label, room))
    save_figure(figure, path)


def _title(text: str, width: float) -> str:
    """Return a text in lines of at most this width, in inches."""
    return "\n".join(textwrap.wrap(text, max(18, int(10 * width))))


def _name_worst(axes: "Axes", names: list[str], columns: int) -> None:
    """Write the names of the first columns above a matrix whose columns are narrower than a line of text."""
    step = columns / 80
    for place, name in enumerate(names):
        axes.annotate(
            shortened(name, LONGEST_NAME), xy=(place, -0.5), xytext=(place * max(1, step), 12),
            textcoords=("data", "offset points"), rotation=90, ha="center", va="bottom", fontsize=8,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": "0.5", "linewidth": 0.6, "relpos": (0.5, 0.0), "shrinkB": 0},
        )  # fmt: skip


def _colors(matrix: np.ndarray, color_map: str) -> dict[str, Any]:
    """Return a colour scale from 0 up; with negative values, one colour for each sign, and white for 0."""
    # Without this limit a few extreme cells would leave all others pale.
    top = float(np.quantile(np.abs(matrix), 0.995)) or float(np.abs(matrix).max())
    top = top if top > 1e-6 else 1.0
    negative = matrix.min() < 0
    return {"cmap": "RdBu" if negative else color_map, "vmin": -top if negative else 0.0, "vmax": top}


@plain_text()
def save_comparison(comparison: Comparison, path: Path) -> None:
    """Draw H and the spread of errors of every row: seeds as points, their mean ± standard deviation beside them.

    One line of panels per data set; rows of one loss have one colour; the baseline's mean is a dashed line.
    """
    losses = list(dict.fromkeys(row.loss for row in comparison.rows))
    colors = {loss: COLORS[place % len(COLORS)] for place, loss in enumerate(losses)}
    heights = [1.1 + 0.36 * len(comparison.of(dataset)) for dataset in comparison.datasets]
    longest = max(len(row.name) for row in comparison.rows)
    figure = new_figure(8.6 + 0.07 * longest, sum(heights) + 0.7)
    grid = figure.subplots(len(heights), len(comparison.tested), squeeze=False, height_ratios=heights)
    where = "on the test classes" if comparison.protocols == ("oracle",) else "without test images"
    for line, dataset in enumerate(comparison.datasets):
        rows = comparison.of(dataset)
        for place, metric in enumerate(comparison.tested):
            axes = grid[line, place]
            _draw(axes, comparison, rows, metric, colors)
            axes.set_yticks(range(len(rows)), [row.name for row in rows] if place == 0 else [])
            if line == len(heights) - 1:
                title = PANELS.get(metric.name, f"{metric.title} ({{unit}})")
                axes.set_xlabel(title.format(unit=metric.unit, where=where), fontsize=10, color="0.25")
        grid[line, 0].set_title(dataset, loc="left", fontsize=12, fontweight="bold", pad=8)
    trials = comparison.plan.search.trials
    budget = f"{trials} trials of search per row" if trials else "no search"
    caption = (
        f"points: seeds ({len(comparison.plan.seeds)});  diamond and bar: mean ± standard deviation;  dashed: "
        f"{comparison.baseline};  {budget}"
    )
    figure.supxlabel(caption, fontsize=8.5, color="0.45", x=0.01, ha="left")
    widen_axes(figure)
    save_figure(figure, path)


def _draw(axes: "Axes", comparison: Comparison, rows: tuple[Row, ...], metric: Metric, colors: dict[str, str]) -> None:
    """Draw one panel, the first row on top."""
    for height, row in enumerate(rows):
        color = colors[row.loss]
        values = [metric.factor * value for value in row.values(metric.name)]
        if not values:
            across, reason = axes.get_yaxis_transform(), "not defined" if row.runs else "failed"
            axes.text(0.02, height, reason, transform=across, va="center", color="0.5", style="italic")
            continue
        mean, deviation = (metric.factor * number for number in row.summary(metric.name))
        axes.plot(values, [height + 0.2] * len(values), "o", color=color, alpha=0.45, markersize=5, markeredgewidth=0)
        if not math.isnan(deviation):
            ends = [mean - deviation, mean + deviation]
            axes.plot(ends, [height, height], color=color, linewidth=2.2, solid_capstyle="round")
        axes.plot(mean, height, "D", color=color, markersize=7, markeredgecolor="white", zorder=4)
        if comparison.is_baseline(row):
            axes.axvline(mean, color="0.55", linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.margins(x=0.08)
    axes.grid(axis="x", color="0.92", zorder=0)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, colors="0.25", labelsize=9.5)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color("0.8")
