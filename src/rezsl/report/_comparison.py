"""Methods and losses side by side over seeds: the table for the terminal, and the same as Markdown, LaTeX and CSV."""

import math

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from rezsl.experiments.results import COMPARED, Comparison, Row
from rezsl.files import csv_text
from rezsl.metrics import Metric
from rezsl.report._text import p_value

TESTED = tuple(metric for metric in COMPARED if metric.tested)
"""The metrics whose difference from the baseline is tested in the tables; table.csv has the p of all metrics."""

TESTS = {"t": "paired t-test", "wilcoxon": "Wilcoxon's signed-rank test"}

PROTOCOLS = {
    "honest": "Honest protocol: epoch and γ chosen on validation classes; each model tested once.",
    "oracle": "Oracle protocol: epoch and γ chosen on the test classes, as in published tables; optimistic.",
}


def comparison_table(comparison: Comparison, dataset: str) -> Table:
    """Return the rows of a data set for the terminal: with standard deviations and p below the means."""
    is_last = dataset == comparison.datasets[-1]
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=0, title=escape(dataset), title_justify="left")
    table.caption, table.caption_justify = (escape("\n".join(notes(comparison))) if is_last else None), "left"
    table.add_column("", min_width=9, overflow="fold")
    for metric in COMPARED:
        table.add_column(metric.title.replace(" ", "\n"), justify="right", no_wrap=True)
    best = _best_rows(comparison, dataset)
    for row in comparison.of(dataset):
        missing = f" [dim]{_missing_runs(row)}[/dim]" if row.failures else ""
        if not row.runs:
            table.add_row(escape(row.name) + missing, *["–"] * len(COMPARED))
            continue
        cells = [_cell(comparison, row, metric, row in best.get(metric.name, ())) for metric in COMPARED]
        table.add_row(escape(row.name) + missing, *cells)
    return table


def as_markdown(comparison: Comparison) -> str:
    """Return a table per data set, and the notes."""
    titles = [metric.title for metric in COMPARED] + [f"p ({metric.title})" for metric in TESTED]
    lines = ["# Comparison", ""]
    for dataset in comparison.datasets:
        lines += [f"## {_markdown(dataset)}", ""]
        lines += [f"| method | {' | '.join(titles)} |", "|---" + "|--:" * len(titles) + "|"]
        best = _best_rows(comparison, dataset)
        for row in comparison.of(dataset):
            cells = [_markdown_cell(row, metric, row in best.get(metric.name, ())) for metric in COMPARED]
            cells += [_shown_p(comparison, row, metric) for metric in TESTED]
            lines.append(f"| {_markdown(f'{row.name} {_missing_runs(row)}'.strip())} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join([*lines, *(f"- {_markdown(note)}" for note in notes(comparison))]) + "\n"


def as_latex(comparison: Comparison) -> str:
    """Return one ``tabular`` with the rules of booktabs, one data set below the other, and the notes as comments."""
    titles = [_latex(metric.title) for metric in COMPARED]
    # A title of one letter is a symbol.
    titles += [f"$p$ ({f'${metric.title}$' if len(metric.title) == 1 else _latex(metric.title)})" for metric in TESTED]
    lines = [f"% {note}" for note in notes(comparison)] + ["% needs: \\usepackage{booktabs}"]
    lines += [f"\\begin{{tabular}}{{l{'r' * len(titles)}}}", "\\toprule", f"method & {' & '.join(titles)} \\\\"]
    for dataset in comparison.datasets:
        lines += ["\\midrule", f"\\multicolumn{{{len(titles) + 1}}}{{l}}{{\\emph{{{_latex(dataset)}}}}} \\\\"]
        best = _best_rows(comparison, dataset)
        for row in comparison.of(dataset):
            cells = [_latex_cell(row, metric, row in best.get(metric.name, ())) for metric in COMPARED]
            cells += [_latex(_shown_p(comparison, row, metric)) for metric in TESTED]
            lines.append(f"{_latex(f'{row.name} {_missing_runs(row)}'.strip())} & {' & '.join(cells)} \\\\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}"]) + "\n"


def as_csv(comparison: Comparison) -> str:
    """Return a line per row: means, standard deviations and p of every metric, none of them in percent."""
    names = [f"{metric.name}_{kind}" for metric in COMPARED for kind in ("mean", "sd", "p")]
    lines = []
    for row in comparison.rows:
        pairs = comparison.significance(row, "H")[1]
        trials = comparison.plan.search.trials if row.searched else 0
        counts = [len(row.runs), len(row.failures), pairs, comparison.test, trials]
        values = [
            value
            for metric in COMPARED
            for value in (*row.summary(metric.name), comparison.significance(row, metric.name)[0])
        ]
        lines.append([row.dataset, row.method, row.loss, *counts, *map(_raw, values)])
    return csv_text(["dataset", "method", "loss", "seeds", "failed", "pairs", "test", "trials", *names], lines)


def runs_csv(comparison: Comparison) -> str:
    """Return a line per run, the failed ones with their reason."""
    names = [metric.name for metric in COMPARED]
    lines: list[list[object]] = []
    for row in comparison.rows:
        for seed in comparison.plan.seeds:
            run = row.runs.get(seed)
            values = [_raw(run[name]) if run is not None else "" for name in names]
            lines.append([row.dataset, row.method, row.loss, seed, *values, row.failures.get(seed, "")])
    return csv_text(["dataset", "method", "loss", "seed", *names, "failure"], lines)


def notes(comparison: Comparison) -> list[str]:
    """Return notes on the tables, one sentence each."""
    pairs = {
        comparison.significance(row, "H")[1] for row in comparison.rows if row.runs and not comparison.is_baseline(row)
    }
    counts = f"n = {min(pairs)} to {max(pairs)}" if len(pairs) > 1 else f"n = {min(pairs, default=0)}"
    return [
        f"Mean ± standard deviation over the seeds {', '.join(map(str, comparison.plan.seeds))}. Accuracies in "
        "percent; error and its spread over attributes × 10⁻³; corr: Pearson, class semantics with error.",
        _searched(comparison),
        *(PROTOCOLS[protocol] for protocol in comparison.protocols),
        "H_oracle takes the γ that is best on test, as published tables report.",
        f"p: {TESTS[comparison.test]} over seeds against {comparison.baseline}, two-sided, {counts} seeds in common, "
        "not corrected for the number of comparisons; none below 3 seeds. All seeds use the same data, so p does not "
        "extend to other data sets.",
        *_failures(comparison),
    ]


def _searched(comparison: Comparison) -> str:
    search = comparison.plan.search
    if not search.trials:
        return "No search: every row has the settings of the plan."
    without = [row.name for row in comparison.rows if not row.searched]
    rest = f"; without a search, by the plan: {', '.join(dict.fromkeys(without))}" if without else ""
    return (
        f"Search: {search.trials} trials per row and data set for validation {search.objective}, with seed "
        f"{comparison.plan.seeds[0]}; no test image is used{rest}."
    )


def _failures(comparison: Comparison) -> list[str]:
    """Return a sentence per row and reason for which runs are missing."""
    lines = []
    for row in comparison.rows:
        for reason in dict.fromkeys(row.failures.values()):
            seeds = [str(seed) for seed, other in row.failures.items() if other == reason]
            lines.append(f"Failed: {row.dataset}, {row.name}, seed {', '.join(seeds)}: {reason}")
    return lines


def _missing_runs(row: Row) -> str:
    """Return the text in brackets beside the name of a row with runs that have not finished."""
    if not row.failures:
        return ""
    return f"({len(row.runs)} of {len(row.runs) + len(row.failures)} seeds)" if row.runs else "(failed)"


def _best_rows(comparison: Comparison, dataset: str) -> dict[str, tuple[Row, ...]]:
    """Return the rows with the best mean of each metric that has a better direction."""
    rows = [row for row in comparison.of(dataset) if row.runs]
    result = {}
    for metric in COMPARED:
        means = {row.name: row.summary(metric.name)[0] for row in rows}
        known = [mean for mean in means.values() if not math.isnan(mean)]
        if metric.better != "neither" and len(known) > 1:
            top = min(known) if metric.better == "down" else max(known)
            result[metric.name] = tuple(row for row in rows if means[row.name] == top)
    return result


def _shown(row: Row, metric: Metric) -> tuple[str, str]:
    """Return mean and standard deviation of a metric as text; each is empty where it is undefined."""
    mean, deviation = ("" if math.isnan(value) else _narrow(value, metric) for value in row.summary(metric.name))
    return mean, deviation


def _narrow(value: float, metric: Metric) -> str:
    """Format a number for a narrow column: those of four digits before the point have none after it."""
    shown = metric.factor * value
    return metric.show(value) if abs(shown) < 1000 else f"{shown:.0f}"


def _shown_p(comparison: Comparison, row: Row, metric: Metric) -> str:
    return "baseline" if comparison.is_baseline(row) else p_value(comparison.significance(row, metric.name)[0])


def _cell(comparison: Comparison, row: Row, metric: Metric, is_best: bool) -> str:
    """Return the mean, below it the standard deviation, and below that p where the metric is tested."""
    mean, deviation = _shown(row, metric)
    lines = [f"[bold]{mean}[/bold]" if is_best else mean, f"[dim]±{deviation}[/dim]" if deviation else ""]
    if metric.tested and not comparison.is_baseline(row):
        p = _shown_p(comparison, row, metric).replace("0.", ".")
        lines.append(f"[dim]p{p}[/dim]" if p[0] == "<" else f"[dim]p {p}[/dim]")
    return "\n".join(lines)


def _markdown_cell(row: Row, metric: Metric, is_best: bool) -> str:
    mean, deviation = _shown(row, metric)
    mark = "**" if is_best else ""
    return f"{mark}{mean}{mark}{f' ± {deviation}' if deviation else ''}" if mean else "–"


def _latex_cell(row: Row, metric: Metric, is_best: bool) -> str:
    mean, deviation = _shown(row, metric)
    if not mean:
        return "--"
    spread = f" \\pm {deviation}" if deviation else ""
    return f"$\\mathbf{{{mean}}}{spread}$" if is_best else f"${mean}{spread}$"


def _raw(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"


def _markdown(text: str) -> str:
    return text.replace("|", "\\|")


def _latex(text: str) -> str:
    """Escape the characters that are commands in LaTeX."""
    special = {"\\": "\\textbackslash{}", "–": "--", "<": "$<$", ">": "$>$", "~": "\\textasciitilde{}"}
    special |= {"^": "\\textasciicircum{}"} | {sign: f"\\{sign}" for sign in "&%$#_{}"}
    return "".join(special.get(sign, sign) for sign in text)
