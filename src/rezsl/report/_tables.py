"""Tables of evaluations and of comparisons over seeds: for the terminal, and as Markdown, LaTeX and CSV."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import replace
from itertools import accumulate
from typing import Any, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions
from rich.markup import escape
from rich.table import Table

from rezsl.errors import one_line_of
from rezsl.evaluation import Evaluation
from rezsl.experiments.results import CHANCE, LEAST_PAIRS, Comparison, Row
from rezsl.files import csv_text
from rezsl.metrics import METRICS, Metric, metrics_in
from rezsl.report._text import named_with_protocol, p_value

TESTS = {"t": "paired t-test", "wilcoxon": "Wilcoxon's signed-rank test"}

PROTOCOLS = {
    "honest": "Honest protocol: epoch and γ chosen without test images; each model tested once.",
    "oracle": "Oracle protocol: epoch and γ chosen on the test classes, as in published tables; optimistic.",
}

OF_ANY_EPOCH = "T1_oracle is the highest T1 of any epoch, as published tables report."

CORRELATIONS = "corr_c, corr_a: Pearson, attribute value with error, over classes and over the attributes of a class"

BORDER = 2
"""The columns of a terminal that the blanks left and right of a table take."""

CHOSEN = {
    "honest": "U, S, H: at the γ chosen without test images",
    "oracle": "oracle protocol: epoch and γ chosen on the test classes, as in published tables; optimistic",
}


def results_table(evaluations: Mapping[str, Evaluation], title: str) -> Table:
    """Return a table with one row per model and one column per metric, for :mod:`rich`."""
    found = list(evaluations.values())
    caption = [CHOSEN[protocol] for protocol in sorted({evaluation.protocol for evaluation in found})]
    metrics = [
        metric for metric in metrics_in("table") if any(metric.name in evaluation.metrics() for evaluation in found)
    ]
    caption += [
        "H_oracle: best γ on test, as published tables report",
        *([OF_ANY_EPOCH] if METRICS["T1_oracle"] in metrics else []),
        "error (×10⁻³): mean and spread over attributes",
        CORRELATIONS,
        *(f"note: {note}" for note in dict.fromkeys(note for evaluation in found for note in evaluation.notes)),
    ]
    table = _table(title, "\n".join(caption), (0, 1, 0, 0))
    table.add_column("")  # a long name takes two lines in a narrow terminal
    for metric in metrics:
        table.add_column(metric.title, justify="right", no_wrap=True)
    for name, evaluation in evaluations.items():
        values = evaluation.metrics()
        cells = [metric.show(values.get(metric.name, math.nan), signed=not metric.unit) for metric in metrics]
        table.add_row(escape(named_with_protocol(name, evaluation.protocol)), *cells)
    return table


class FoldedTable(Table):
    """A table whose columns continue below it where the terminal is too narrow, so that no number is cut short.

    The first column, which has the names of the rows, is repeated. Where it is enough, the columns come closer instead,
    and then titles such as ``H_oracle`` and long names take two lines.
    """

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Any]:
        closer = copy(self)
        closer.padding = (0, 0, 0, 0)
        broken = copy(closer)
        broken.columns = [replace(column, header=str(column.header).replace("_", "_\n")) for column in self.columns]
        for table, whole_names in ((self, True), (closer, True), (broken, False)):
            room, widths = table._room(console, options, whole_names)
            if sum(widths) <= room:
                yield from Table.__rich_console__(table, console, options)
                return
        room, widths = self._room(console, options)
        first, *rest = self.columns
        title, is_folded = self.title, False
        while rest:
            count = max(1, sum(width <= room for width in accumulate(widths)))
            part = copy(self)
            part.columns = [replace(column, _index=place) for place, column in enumerate([first, *rest[:count]])]
            rest, widths = rest[count:], widths[count:]
            part.title, title = title, None
            is_folded = is_folded or bool(rest)
            part.caption = None if is_folded else self.caption
            yield from Table.__rich_console__(part, console, options)
        if is_folded and self.caption:
            # Below one part of the columns, the caption would be as narrow as that part.
            yield console.render_str(str(self.caption), style="table.caption")

    def _room(self, console: Console, options: ConsoleOptions, whole_names: bool = False) -> tuple[int, list[int]]:
        """Return how wide the terminal is beside the names of the rows, and the width of each column of numbers.

        ``whole_names`` is whether no word of a name is broken.
        """
        names, *widths = [self._measure_column(console, options, column) for column in self.columns]
        least = names.minimum if whole_names else min(self.columns[0].min_width or names.minimum, names.minimum)
        return options.max_width - least - BORDER, [1 + width.maximum for width in widths]


def _table(title: str, caption: str | None, padding: int | tuple[int, int, int, int]) -> Table:
    return FoldedTable(
        box=SIMPLE_HEAD, pad_edge=False, padding=padding,
        title=escape(title), title_justify="left", caption=caption, caption_justify="left",
    )  # fmt: skip


class Cell(NamedTuple):
    """One metric of one row of a comparison as text, which is empty where a value is undefined."""

    metric: Metric
    mean: str
    deviation: str
    p: str
    is_best: bool


def comparison_table(comparison: Comparison, dataset: str) -> Table:
    """Return the rows of a data set for the terminal: with standard deviations and p below the means."""
    is_last = dataset == comparison.datasets[-1]
    table = _table(dataset, escape("\n".join(notes(comparison))) if is_last else None, 0)
    table.add_column("", min_width=9, overflow="fold")
    for metric in comparison.metrics:
        # So that all columns fit into 80; the table breaks the titles with _ where it must.
        table.add_column(metric.title.replace(" ", "\n"), justify="right", no_wrap=True)
    for row, cells in _rows(comparison, dataset):
        remark = _remark(row)
        remark = f" [dim]{remark}[/dim]" if remark else ""
        table.add_row(escape(row.name) + remark, *(_terminal_cell(cell) if row.runs else "–" for cell in cells))
    return table


def as_markdown(comparison: Comparison) -> str:
    """Return a table per data set, and the notes."""
    titles = [metric.title for metric in comparison.metrics]
    titles += [f"p ({metric.title})" for metric in comparison.tested]
    lines = ["# Comparison", ""]
    for dataset in comparison.datasets:
        lines += [f"## {_markdown(dataset)}", ""]
        lines += [f"| method | {' | '.join(titles)} |", "|---" + "|--:" * len(titles) + "|"]
        lines += [f"| {' | '.join(row)} |" for row in _written_rows(comparison, dataset, _markdown_cell, _markdown)]
        lines.append("")
    return "\n".join([*lines, *(f"- {_markdown(note)}" for note in notes(comparison))]) + "\n"


def as_latex(comparison: Comparison) -> str:
    """Return one ``tabular`` with the rules of booktabs, one data set below the other, and the notes as comments."""
    titles = [_latex(metric.title) for metric in comparison.metrics]
    # A title of one letter is a symbol.
    titles += [
        f"$p$ ({f'${metric.title}$' if len(metric.title) == 1 else _latex(metric.title)})"
        for metric in comparison.tested
    ]
    lines = [f"% {one_line_of(note)}" for note in notes(comparison)] + ["% needs: \\usepackage{booktabs}"]
    lines += [f"\\begin{{tabular}}{{l{'r' * len(titles)}}}", "\\toprule", f"method & {' & '.join(titles)} \\\\"]
    for dataset in comparison.datasets:
        lines += ["\\midrule", f"\\multicolumn{{{len(titles) + 1}}}{{l}}{{\\emph{{{_latex(dataset)}}}}} \\\\"]
        lines += [f"{' & '.join(row)} \\\\" for row in _written_rows(comparison, dataset, _latex_cell, _latex)]
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}"]) + "\n"


def as_csv(comparison: Comparison) -> str:
    """Return a line per row: means, standard deviations and p of every metric, none of them in percent."""
    names = [f"{metric.name}_{kind}" for metric in comparison.metrics for kind in ("mean", "sd", "p")]
    lines = []
    for row in comparison.rows:
        pairs = comparison.significance(row, "H")[1]
        trials = comparison.plan.search.trials if row.space else 0
        counts = [len(row.runs), len(row.failures), pairs, comparison.test, trials]
        values = [
            value
            for metric in comparison.metrics
            for value in (*row.summary(metric.name), comparison.significance(row, metric.name)[0])
        ]
        lines.append([row.dataset, row.method, row.loss, *counts, *map(_raw, values)])
    return csv_text(["dataset", "method", "loss", "seeds", "failed", "pairs", "test", "trials", *names], lines)


def runs_csv(comparison: Comparison) -> str:
    """Return a line per run, the failed ones with their reason."""
    names = [metric.name for metric in comparison.metrics]
    lines: list[list[object]] = []
    for row in comparison.rows:
        for seed in comparison.plan.seeds:
            run = row.runs.get(seed)
            values = [_raw(run[name]) if run is not None else "" for name in names]
            reasons = (row.failures.get(seed, ""), row.collapses.get(seed, ""))
            lines.append([row.dataset, row.method, row.loss, seed, *values, *reasons])
    return csv_text(["dataset", "method", "loss", "seed", *names, "failure", "collapse"], lines)


def notes(comparison: Comparison) -> list[str]:
    """Return notes on the tables, one sentence each."""
    pairs = {
        comparison.significance(row, "H")[1] for row in comparison.rows if row.runs and not comparison.is_baseline(row)
    }
    counts = f"n = {min(pairs)} to {max(pairs)}" if len(pairs) > 1 else f"n = {min(pairs, default=0)}"
    return [
        f"Mean ± standard deviation over the seeds {', '.join(map(str, comparison.plan.seeds))}. Accuracies in "
        f"percent; error and its spread over attributes × 10⁻³; {CORRELATIONS}.",
        _searched(comparison),
        *(PROTOCOLS[protocol] for protocol in comparison.protocols),
        "H_oracle takes the γ that is best on test, as published tables report.",
        *([OF_ANY_EPOCH] if METRICS["T1_oracle"] in comparison.metrics else []),
        f"p: {TESTS[comparison.test]} over seeds against {comparison.baseline}, two-sided, {counts} seeds in common, "
        f"not corrected for the number of comparisons; none below {LEAST_PAIRS} seeds. All seeds use the same data, so "
        "p does not extend to other data sets.",
        f"Bold: the best mean of a data set, where it differs from the second best by more than chance (the same test, "
        f"p < {CHANCE:g}); never below {LEAST_PAIRS} seeds in common.",
        *dict.fromkeys(f"{row.name}: {row.caution}." for row in comparison.rows if row.caution),
        *_by_reason("Collapsed", comparison, lambda row: row.collapses),
        *_by_reason("Failed", comparison, lambda row: row.failures),
    ]


def _searched(comparison: Comparison) -> str:
    search = comparison.plan.search
    if not search.trials:
        return "No search: every row has the settings of the plan."
    without = [row.name for row in comparison.rows if not row.space]
    rest = f"; without a search, by the plan: {', '.join(dict.fromkeys(without))}" if without else ""
    return (
        f"Search: {search.trials} trials per row and data set for validation {search.objective}, with seed "
        f"{comparison.plan.seeds[0]}; no test image is used{rest}."
    )


def _by_reason(what: str, comparison: Comparison, of: Callable[[Row], dict[int, str]]) -> Iterator[str]:
    """Yield a sentence per row and reason for which runs are missing or have collapsed."""
    for row in comparison.rows:
        reasons = of(row)
        for reason in dict.fromkeys(reasons.values()):
            seeds = ", ".join(str(seed) for seed, other in reasons.items() if other == reason)
            yield f"{what}: {row.dataset}, {row.name}, seed {seeds}: {reason}"


def _rows(comparison: Comparison, dataset: str) -> Iterator[tuple[Row, list[Cell]]]:
    """Yield each row of a data set with its cells, one of each compared metric."""
    best = {metric.name: comparison.clear_best(dataset, metric) for metric in comparison.metrics}
    for row in comparison.of(dataset):
        cells = []
        for metric in comparison.metrics:
            mean, deviation = row.summary(metric.name)
            p = "baseline" if comparison.is_baseline(row) else p_value(comparison.significance(row, metric.name)[0])
            texts = (_narrow(mean, metric), _narrow(deviation, metric), p)
            cells.append(Cell(metric, *texts, is_best=row is best[metric.name]))
        yield row, cells


def _narrow(value: float, metric: Metric) -> str:
    """Format a number for a narrow column: those of four digits before the point have none after it."""
    if math.isnan(value):
        return ""
    shown = metric.factor * value
    return metric.show(value) if abs(shown) < 1000 else f"{shown:.0f}"


def _written_rows(
    comparison: Comparison, dataset: str, show: Callable[[Cell], str], escaped: Callable[[str], str]
) -> Iterator[list[str]]:
    """Yield the texts of each row: its name, its cells, and p of the tested metrics."""
    for row, cells in _rows(comparison, dataset):
        name = escaped(f"{row.name} {_remark(row)}".strip())
        yield [name, *map(show, cells), *(escaped(cell.p) for cell in cells if cell.metric.tested)]


def _remark(row: Row) -> str:
    """Return the text in brackets beside the name of a row with runs that have not finished or have collapsed."""
    count = len(row.runs)
    if row.failures and not count:
        return "(failed)"
    parts = [f"{count} of {count + len(row.failures)} seeds"] if row.failures else []
    parts += [f"{len(row.collapses)} of {count} collapsed"] if row.collapses else []
    return f"({', '.join(parts)})" if parts else ""


def _terminal_cell(cell: Cell) -> str:
    """Return the mean, below it the standard deviation, and below that p where the metric is tested."""
    lines = [f"[bold]{cell.mean}[/bold]" if cell.is_best else cell.mean]
    lines.append(f"[dim]±{cell.deviation}[/dim]" if cell.deviation else "")
    if cell.metric.tested and cell.p != "baseline":
        p = cell.p.replace("0.", ".").replace("1.000", "1")
        lines.append(f"[dim]p{p}[/dim]" if p[0] == "<" else f"[dim]p {p}[/dim]")
    return "\n".join(lines)


def _markdown_cell(cell: Cell) -> str:
    mean = f"**{cell.mean}**" if cell.is_best else cell.mean
    return f"{mean} ± {cell.deviation}" if cell.deviation else mean or "–"


def _latex_cell(cell: Cell) -> str:
    mean = f"\\mathbf{{{cell.mean}}}" if cell.is_best else cell.mean
    return f"${mean} \\pm {cell.deviation}$" if cell.deviation else f"${mean}$" if mean else "--"


def _raw(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"


def _markdown(text: str) -> str:
    """Escape the characters that end a cell, and those that begin a tag of HTML, code, or the address of a link."""
    escaped = re.sub(r"[\\|`]", r"\\\g<0>", one_line_of(text))
    return re.sub(r"<(?=[A-Za-z/!?])|\](?=[(\[:])", r"\\\g<0>", escaped)


def _latex(text: str) -> str:
    """Escape the characters that are commands in LaTeX; a line break would end a comment or a row."""
    special = {"\\": "\\textbackslash{}", "–": "--", "<": "$<$", ">": "$>$", "~": "\\textasciitilde{}"}
    special |= {"^": "\\textasciicircum{}"} | {sign: f"\\{sign}" for sign in "&%$#_{}"}
    return "".join(special.get(sign, sign) for sign in one_line_of(text))
