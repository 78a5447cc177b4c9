"""Methods and losses side by side over seeds: the content of the tables, and the one for the terminal."""

import math
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from rezsl.experiments.results import Comparison, Row


@dataclass(frozen=True)
class Column:
    """How a figure is shown.

    Attributes:
        figure: its name in a run's record.
        title: above the column.
        factor: what the figure is multiplied by.
        digits: after the point.
    """

    figure: str
    title: str
    factor: float = 100.0
    digits: int = 1


COLUMNS = (
    *(Column(name, name) for name in ("T1", "U", "S", "H", "AUSUC", "H_oracle")),
    Column("error_mean", "error", 1000.0),
    Column("error_spread", "spread", 1000.0),
    Column("error_correlation", "corr", 1.0, 2),
    Column("seconds", "time (s)", 1.0, 1),
)
TESTED = ("H", "error_spread")
"""Figures whose difference from the baseline is tested in the tables; table.csv has p of all of them."""

TESTS = {"t": "paired t-test", "wilcoxon": "Wilcoxon's signed-rank test"}


def shown(row: Row, column: Column) -> tuple[str, str]:
    """Mean and standard deviation of a figure as text; empty where there is none."""
    mean, deviation = row.summary(column.figure)
    return _number(mean, column), _number(deviation, column)


def shown_p(comparison: Comparison, row: Row, figure: str) -> str:
    """The p of the difference from the baseline as text, such as ``0.013``."""
    if comparison.is_baseline(row):
        return "baseline"
    p, _ = comparison.significance(row, figure)
    if math.isnan(p):
        return "–"
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def notes(comparison: Comparison) -> list[str]:
    """What a reader of the tables must know, a sentence each."""
    baseline = " + ".join(comparison.baseline)
    pairs = {
        comparison.significance(row, "H")[1] for row in comparison.rows if row.runs and not comparison.is_baseline(row)
    }
    counts = f"n = {min(pairs)} to {max(pairs)}" if len(pairs) > 1 else f"n = {min(pairs, default=0)}"
    seeds = ", ".join(map(str, comparison.seeds))
    return [
        f"Mean ± standard deviation over the seeds {seeds}. Accuracies in percent; error "
        "and its spread over semantics × 10⁻³; corr: Pearson, class semantics with error.",
        _searched(comparison),
        *(_PROTOCOLS[protocol] for protocol in comparison.protocols),
        "H_oracle takes the γ that is best on test, as published tables report.",
        f"p: {TESTS[comparison.test]} over seeds against {baseline}, two-sided, {counts} seeds in common, not "
        "corrected for the number of comparisons; none below 3 seeds. Seeds share the data: p does not speak of other "
        "data sets.",
        *failures(comparison),
    ]


def missing_runs(row: Row) -> str:
    """What stands beside the name of a row that has not all of its runs, in brackets; otherwise nothing."""
    if not row.failures:
        return ""
    return f"({len(row.runs)} of {len(row.runs) + len(row.failures)} seeds)" if row.runs else "(failed)"


def failures(comparison: Comparison) -> list[str]:
    """A sentence per row and reason for which runs are missing."""
    lines = []
    for row in comparison.rows:
        for reason in dict.fromkeys(row.failures.values()):
            seeds = [str(seed) for seed, other in row.failures.items() if other == reason]
            lines.append(f"Failed: {row.dataset}, {row.name}, seed {', '.join(seeds)}: {reason}")
    return lines


def comparison_table(comparison: Comparison, dataset: str) -> Table:
    """The rows of a data set, for the terminal: standard deviations and p stand below the means."""
    is_last = dataset == comparison.datasets[-1]
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=0, title=escape(dataset), title_justify="left")
    table.caption, table.caption_justify = (escape("\n".join(notes(comparison))) if is_last else None), "left"
    table.add_column("", min_width=9, overflow="fold")
    for column in COLUMNS:
        table.add_column(column.title.replace(" ", "\n"), justify="right", no_wrap=True)
    best = best_rows(comparison, dataset)
    for row in comparison.of(dataset):
        missing = f" [dim]{missing_runs(row)}[/dim]" if row.failures else ""
        if not row.runs:
            table.add_row(escape(row.name) + missing, *["–"] * len(COLUMNS))
            continue
        cells = [_cell(comparison, row, column, row in best.get(column.figure, ())) for column in COLUMNS]
        table.add_row(escape(row.name) + missing, *cells)
    return table


def _cell(comparison: Comparison, row: Row, column: Column, is_best: bool) -> str:
    """Mean, below it the standard deviation, and below that p where the figure is tested."""
    mean, deviation = shown(row, column)
    lines = [f"[bold]{mean}[/bold]" if is_best else mean, f"[dim]±{deviation}[/dim]" if deviation else ""]
    if column.figure in TESTED and not comparison.is_baseline(row):
        p = shown_p(comparison, row, column.figure)
        lines.append(f"[dim]p {p.replace('0.', '.')}[/dim]" if p[0] != "<" else f"[dim]p{p.replace('0.', '.')}[/dim]")
    return "\n".join(lines)


def best_rows(comparison: Comparison, dataset: str) -> dict[str, tuple[Row, ...]]:
    """The rows with the best mean of each figure; accuracies up, errors down, and no best of the others."""
    rows = [row for row in comparison.of(dataset) if row.runs]
    result = {}
    for column in COLUMNS:
        means = {row.name: row.summary(column.figure)[0] for row in rows}
        known = [mean for mean in means.values() if not math.isnan(mean)]
        if column.figure in ("error_correlation", "seconds") or len(known) < 2:
            continue
        top = min(known) if column.figure.startswith("error") else max(known)
        result[column.figure] = tuple(row for row in rows if means[row.name] == top)
    return result


_PROTOCOLS = {
    "honest": "Honest protocol: epoch and γ chosen on validation classes; each model tested once.",
    "oracle": "Oracle protocol: epoch and γ chosen on the test classes, as in published tables; optimistic.",
}


def _searched(comparison: Comparison) -> str:
    if not comparison.trials:
        return "No search: every row has the settings of the plan."
    without = [row.name for row in comparison.rows if not row.searched]
    rest = f"; without a search, by the plan: {', '.join(dict.fromkeys(without))}" if without else ""
    return (
        f"Search: {comparison.trials} trials per row and data set for validation {comparison.objective}, with seed "
        f"{comparison.seeds[0]}; no test image is looked at{rest}."
    )


def _number(value: float, column: Column) -> str:
    if math.isnan(value):
        return ""
    shown = column.factor * value
    # Four digits at the most: the columns are narrow.
    return f"{shown:.{column.digits if abs(shown) < 1000 else 0}f}"
