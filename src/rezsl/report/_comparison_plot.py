"""The plot of a comparison: H and the spread of errors of every method and loss."""

from pathlib import Path
from typing import TYPE_CHECKING

from rezsl.experiments.results import Comparison, Row
from rezsl.metrics import Metric
from rezsl.report._comparison import TESTED
from rezsl.report._plots import COLORS, new_figure, plain_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANELS = {
    "H": "H on test ({unit}), at the γ chosen on {where}",
    "error_spread": "spread of errors over attributes ({unit})",
}
"""Words below the plots of some metrics; another metric has its title there."""


@plain_text()
def save_comparison(comparison: Comparison, path: Path) -> None:
    """Draw H and the spread of errors of every row: seeds as points, their mean ± standard deviation beside them.

    One line of panels per data set; rows of one loss have one colour; the baseline's mean is a dashed line.
    """
    losses = list(dict.fromkeys(row.loss for row in comparison.rows))
    colors = {loss: COLORS[place % len(COLORS)] for place, loss in enumerate(losses)}
    counts = [len(comparison.of(dataset)) for dataset in comparison.datasets]
    longest = max(len(row.name) for row in comparison.rows)
    figure = new_figure(8.6 + 0.07 * longest, sum(1.1 + 0.36 * count for count in counts) + 0.7)
    grid = figure.subplots(
        len(counts), len(TESTED), squeeze=False, height_ratios=[1.1 + 0.36 * count for count in counts]
    )
    where = "the test classes" if comparison.protocols == ("oracle",) else "validation classes"
    for line, dataset in enumerate(comparison.datasets):
        rows = comparison.of(dataset)
        for place, metric in enumerate(TESTED):
            axes = grid[line, place]
            _draw(axes, comparison, rows, metric, colors)
            axes.set_yticks(range(len(rows)), [row.name for row in rows] if place == 0 else [])
            if line == len(counts) - 1:
                title = PANELS.get(metric.name, f"{metric.title} ({{unit}})")
                axes.set_xlabel(title.format(unit=metric.unit, where=where), fontsize=10, color="0.25")
        grid[line, 0].set_title(dataset, loc="left", fontsize=12, fontweight="bold", pad=8)
    figure.supxlabel(_caption(comparison), fontsize=8.5, color="0.45", x=0.01, ha="left")
    figure.savefig(path)


def _draw(axes: "Axes", comparison: Comparison, rows: tuple[Row, ...], metric: Metric, colors: dict[str, str]) -> None:
    """Draw one panel, the first row on top."""
    for height, row in enumerate(rows):
        color = colors[row.loss]
        values = [metric.factor * value for value in row.values(metric.name)]
        if not values:
            axes.text(
                0.02, height, "failed", transform=axes.get_yaxis_transform(), va="center", color="0.5", style="italic"
            )
            continue
        mean, deviation = (metric.factor * number for number in row.summary(metric.name))
        axes.plot(values, [height + 0.2] * len(values), "o", color=color, alpha=0.45, markersize=5, markeredgewidth=0)
        if deviation == deviation:  # noqa: PLR0124 - not NaN
            axes.plot(
                [mean - deviation, mean + deviation],
                [height, height],
                color=color,
                linewidth=2.2,
                solid_capstyle="round",
            )
        axes.plot(mean, height, "D", color=color, markersize=7, markeredgecolor="white", zorder=4)
        if comparison.is_baseline(row):
            axes.axvline(mean, color="0.55", linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.margins(x=0.08)
    axes.grid(axis="x", color="0.92", zorder=0)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, colors="0.25", labelsize=9.5)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("0.8")


def _caption(comparison: Comparison) -> str:
    """Explain the marks, with the number of seeds and trials."""
    trials = comparison.plan.search.trials
    budget = f"{trials} trials of search per row" if trials else "no search"
    return (
        f"points: seeds ({len(comparison.plan.seeds)});  diamond and bar: mean ± standard deviation;  dashed: "
        f"{comparison.baseline};  {budget}"
    )
