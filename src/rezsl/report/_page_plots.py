"""The plots of one run, as inline SVG: functions that draw on a figure and return the text for screen readers."""

import io
import math
import re
from collections.abc import Callable, Mapping
from functools import partial
from itertools import cycle, product
from typing import TYPE_CHECKING, Any

import torch

from rezsl.errors import shortened
from rezsl.evaluation import Analysis, ErrorFall, ValueBins
from rezsl.functional import CurvePoint
from rezsl.report._plots import new_figure, plain_text, widen_axes
from rezsl.report._text import named_with_protocol, number, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

THEME_NAMES = ("ink", "soft", "line", "first", "second", "paper", "third")
THEME = {f"#0102{number:02x}": name for number, name in enumerate(THEME_NAMES)}
"""Each of these colours is replaced by a colour of the page's light or dark theme; no plot uses them otherwise."""

INK, SOFT, GRID, FIRST, SECOND, PAPER, THIRD = THEME

WIDTH = 5.2
"""Width of every plot in inches, of which each has 96 pixels in a page."""

WORST = 12
LONGEST_NAME = 24
RANKS = ((1, 1), (2, 2), (3, 5), (6, 10), (11, None))


def page_plots(analysis: Analysis, fall: ErrorFall | None, is_test: bool, prefix: str) -> dict[str, str]:
    """Return the plots of a run by name, without those whose values are not known; the prefix begins all ids.

    Without ``is_test`` γ was chosen on the analysed images, so that no other γ is better on them.
    """
    level, worst_height = analysis.options.level, 1.4 + 0.3 * min(WORST, len(analysis.attributes))
    drawn: dict[str, tuple[float, Callable[[Figure], str]]] = {
        "value": (4.2, partial(_values, analysis.error_by_value, 1000.0, "error", "×10⁻³", level)),
        "worst": (worst_height, partial(_worst, analysis)),
        "reliability": (4.6, partial(_reliability, analysis)),
    }
    if analysis.has_seen and analysis.has_unseen:
        drawn["curve"] = (4.2, partial(_curve, analysis, is_test))
    if len(analysis.generalized.mistakes.error):
        drawn["mistakes"] = (3.2, partial(_mistakes, analysis))
    if fall is not None and int(fall.by_value.count.sum()):
        drawn["fall"] = (4.2, partial(_values, fall.by_value, 100.0, "fall of ln error", "×10⁻² per epoch", level))
    return {name: _inline_svg(height, draw, f"{prefix}-{name}") for name, (height, draw) in drawn.items()}


def curves_plot(analyses: Mapping[str, Analysis], prefix: str) -> str:
    """Return one plot of the seen-unseen curves of several runs, with the working point of each."""
    return _inline_svg(3.9 + 0.25 * len(analyses), partial(_curves, analyses), prefix)


def _inline_svg(height: float, draw: Callable[["Figure"], str], prefix: str) -> str:
    """Draw a plot, with its height in inches, and return it as an ``<svg>`` element; the prefix begins all its ids."""
    from markupsafe import escape  # noqa: PLC0415 - comes with Jinja, which only pages need

    settings: Any = {
        "svg.fonttype": "none", "svg.hashsalt": prefix, "font.size": 10,
        "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": SOFT, "xtick.color": SOFT, "ytick.color": SOFT,
        "xtick.labelcolor": INK, "ytick.labelcolor": INK, "axes.spines.top": False, "axes.spines.right": False,
        "axes.grid": True, "grid.color": GRID, "grid.linewidth": 0.8, "axes.axisbelow": True, "legend.frameon": False,
    }  # fmt: skip
    stream = io.StringIO()
    with plain_text(settings):
        figure = new_figure(WIDTH, height)
        label = draw(figure)
        if not figure.legends:
            figure.legend(loc="outside lower center", ncols=2)
        widen_axes(figure)
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\s+xmlns(:xlink)?="[^"]*"', "", text).replace("xlink:href=", "href=")
    text = re.sub(r'\bid="([^"]*)"', rf'id="{prefix}-\1"', text)
    text = re.sub(r'(href="#|url\(#)', rf"\1{prefix}-", text)
    text = re.sub(r"font:[^;\"]*?([\d.]+)px[^;\"]*", r"font-size: \1px", text)
    for color, name in THEME.items():
        text = text.replace(color, f"var(--{name})")
    view = re.search(r'viewBox="[^"]*"', text)
    assert view is not None
    opening = f'<svg role="img" aria-label="{escape(label)}" {view[0]} style="max-width: {96 * WIDTH:.0f}px">'
    return re.sub(r"<svg[^>]*>", lambda _: opening, text, count=1)


def _curve(analysis: Analysis, is_test: bool, figure: "Figure") -> str:
    """Plot the seen-unseen curve with the chosen and the best working point."""
    axes, point, oracle = figure.subplots(), analysis.point, analysis.oracle
    _draw_curve(axes, analysis, color=FIRST)
    chosen = f"this model, γ = {number(point.gamma, 2)}: H {percent(point.harmonic_mean)}"
    _draw_point(axes, point, "o", 9, SECOND, chosen)
    if is_test:
        best = f"best γ for these images, {number(oracle.gamma, 2)}: H {percent(oracle.harmonic_mean)}"
        _draw_point(axes, oracle, "*", 14, SECOND, best)
    figure.legend(loc="outside lower center")
    at_point = f"S {100 * point.seen:.1f} % and U {100 * point.unseen:.1f} % at the γ of the model"
    return f"Seen-unseen curve. Area {100 * analysis.ausuc:.1f} %, {at_point}."


def _curves(analyses: Mapping[str, Analysis], figure: "Figure") -> str:
    """Plot the seen-unseen curves of several runs, each with its working point."""
    axes = figure.subplots()
    styles = product(("-", "--", ":", "-."), (FIRST, SECOND, THIRD))
    for (name, analysis), (dashes, color) in zip(analyses.items(), cycle(styles), strict=False):
        named = shortened(named_with_protocol(name, analysis.protocol), 2 * LONGEST_NAME)
        _draw_curve(axes, analysis, color=color, linestyle=dashes, label=f"{named}: area {percent(analysis.ausuc)}")
        _draw_point(axes, analysis.point, "o", 9, color)
    figure.legend(loc="outside lower center")
    areas = ", ".join(f"{name} {100 * analysis.ausuc:.1f} %" for name, analysis in analyses.items())
    return f"Seen-unseen curves. Areas: {areas}."


def _draw_curve(axes: "Axes", analysis: Analysis, **style: Any) -> None:
    found = analysis.curve
    axes.plot((100 * found.unseen).tolist(), (100 * found.seen).tolist(), linewidth=2, **style)
    axes.set(xlim=(0, 102), ylim=(0, 102))
    axes.set(xlabel="unseen classes: images named right, U (%)", ylabel="seen classes: images named right, S (%)")


def _draw_point(axes: "Axes", point: CurvePoint, marker: str, size: int, color: str, label: str = "") -> None:
    axes.plot(
        [100 * point.unseen], [100 * point.seen], marker, color=color, markersize=size, markeredgecolor=PAPER,
        label=label, clip_on=False, zorder=4,
    )  # fmt: skip


def _values(bins: ValueBins, factor: float, name: str, unit: str, level: float, figure: "Figure") -> str:
    """Plot a quantity in bins of the attribute value: mean with interval, and quartiles of the cells."""
    filled = bins.count > 0
    centre, quartiles = bins.value[filled], factor * bins.quartiles[filled]
    mean, low, high = (factor * side[filled] for side in (bins.mean, bins.low, bins.high))
    # An interval may be undefined, and rounding may put its end on the wrong side of the mean.
    ends = torch.stack([mean - low, high - mean]).nan_to_num().clamp(min=0.0)
    axes = figure.subplots()
    axes.fill_between(
        centre.tolist(), quartiles[:, 0].tolist(), quartiles[:, 2].tolist(), color=FIRST, alpha=0.18, linewidth=0,
        label="middle half of the cells",
    )  # fmt: skip
    axes.errorbar(
        centre.tolist(), mean.tolist(), yerr=ends.tolist(), fmt="o-", color=FIRST, capsize=3,
        label=f"mean with {100 * level:.0f} % interval",
    )  # fmt: skip
    axes.set(xlabel="attribute value (rows of length 1)", ylabel=f"{name} ({unit})")
    if float(quartiles.min()) >= 0 <= float((mean - ends[0]).min()):
        axes.set_ylim(bottom=0)
    else:
        axes.axhline(0, color=SOFT, linewidth=1)
    reached = ", ".join(f"{float(mean[end]):.1f} at {float(centre[end]):.2f}" for end in (0, -1))
    bins_of = f"in {len(mean)} bins of the attribute value, from the lowest to the highest"
    return f"Mean {name} ({unit}) {bins_of}: {reached}."


def _worst(analysis: Analysis, figure: "Figure") -> str:
    """Plot the errors of the worst attributes over classes, as boxes."""
    profile = analysis.attribute_errors
    rows = profile.worst(WORST).tolist()
    boxes = []
    for row in rows:
        # The whiskers end at 5 % and 95 %.
        _, low, first, median, third, high, _ = (1000 * profile.quantiles[row]).tolist()
        mean = 1000 * float(profile.mean[row])
        boxes.append({"whislo": low, "q1": first, "med": median, "q3": third, "whishi": high, "mean": mean})
    axes = figure.subplots()
    drawn = axes.bxp(
        boxes, orientation="horizontal", showfliers=False, showmeans=True, patch_artist=True, widths=0.6,
        boxprops={"facecolor": FIRST, "edgecolor": FIRST, "alpha": 0.55}, medianprops={"color": INK},
        whiskerprops={"color": SOFT}, capprops={"color": SOFT},
        meanprops={"marker": "D", "markerfacecolor": SECOND, "markeredgecolor": PAPER, "markersize": 6},
    )  # fmt: skip
    mean_label = "mean of all attributes"
    axes.axvline(1000 * profile.mean_of_means, color=SOFT, linestyle="--", linewidth=1, label=mean_label)
    drawn["means"][0].set_label("mean over classes")
    axes.set_yticks(range(1, len(rows) + 1), [shortened(analysis.attributes[row], LONGEST_NAME) for row in rows])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlim(left=0)
    axes.set_xlabel("error (×10⁻³)")
    worst = f"{analysis.attributes[rows[0]]}, mean {boxes[0]['mean']:.1f} ×10⁻³"
    return f"Boxes of the errors of the {len(rows)} worst predicted attributes over classes, the worst first: {worst}."


def _mistakes(analysis: Analysis, figure: "Figure") -> str:
    """Plot how similar the chosen class is to the true one, and the error in each case."""
    wrong = analysis.generalized.mistakes
    names, shares, errors = [], [], []
    for first, last in (bounds for bounds in RANKS if bounds[0] < len(analysis.generalized.candidates)):
        within = (wrong.neighbour_rank >= first) & (wrong.neighbour_rank <= (last or wrong.neighbour_rank.max()))
        names.append(f"{first}" if first == last else f"{first}–{last}" if last else f"≥ {first}")
        shares.append(100 * float(within.double().mean()))
        errors.append(1000 * float(wrong.error[within].mean()))
    left, right = figure.subplots(1, 2)
    left.bar(names, shares, color=FIRST, width=0.7)
    left.set_ylabel("share of the mistakes (%)")
    right.plot(names, errors, "o", color=SECOND, markersize=8, label="mistakes")
    if not math.isnan(wrong.right_error):
        right.axhline(1000 * wrong.right_error, color=SOFT, linestyle="--", label="right images")
    right.set_ylabel("mean error (×10⁻³)")
    # Room for half a marker above the highest, however near to each other they all lie.
    right.set_ylim(0, 1.1 * right.dataLim.ymax)
    figure.legend(loc="outside lower right", ncols=2)
    for axes in (left, right):
        axes.set_xlabel("rank of the chosen class")
        axes.grid(visible=False, axis="x")
    shown = ", ".join(f"{share:.0f} % at rank {name}" for name, share in zip(names, shares, strict=True))
    return f"{len(wrong.error)} mistakes by the chosen class's rank among the true one's neighbours: {shown}."


def _reliability(analysis: Analysis, figure: "Figure") -> str:
    """Plot confidence against accuracy, among all classes and among the unseen ones."""
    known = [("all classes", analysis.generalized.reliability, FIRST, "o-")]
    if analysis.conventional is not None and len(analysis.conventional.candidates) > 1:
        known.append(("unseen classes only", analysis.conventional.reliability, SECOND, "s--"))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    above.plot([0, 100], [0, 100], color=SOFT, linewidth=1, linestyle=":")
    for name, diagram, color, style in known:
        rows = diagram.count > 0
        label = f"{name} (ECE {100 * diagram.ece:.1f} %)"
        places, heights = (100 * side[rows] for side in (diagram.confidence, diagram.accuracy))
        above.plot(places.tolist(), heights.tolist(), style, color=color, markersize=5, label=label)
        below.stairs(diagram.count.tolist(), (100 * diagram.edges).tolist(), color=color, linewidth=1.5)
    above.set(xlim=(0, 100), ylim=(0, 102), ylabel="accuracy (%)")
    below.set(xlabel="probability of the chosen class (%)", ylabel="images")
    errors = "; ".join(f"{name}: expected calibration error {100 * diagram.ece:.1f} %" for name, diagram, *_ in known)
    return f"Reliability diagram. {errors}."
