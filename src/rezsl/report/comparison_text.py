"""A comparison as Markdown, LaTeX and CSV."""

import csv
import io
import math

from rezsl.experiments.results import FIGURES, Comparison, Row
from rezsl.report.comparison_table import COLUMNS, TESTED, best_rows, missing_runs, notes, shown, shown_p


def as_markdown(comparison: Comparison) -> str:
    """A table per data set, and the notes."""
    titles = [column.title for column in COLUMNS] + ["p (H)", "p (spread)"]
    lines = ["# Comparison", ""]
    for dataset in comparison.datasets:
        lines += [
            f"## {_markdown(dataset)}",
            "",
            f"| method | {' | '.join(titles)} |",
            "|---" + "|--:" * len(titles) + "|",
        ]
        best = best_rows(comparison, dataset)
        for row in comparison.of(dataset):
            cells = [
                _joined(*shown(row, column), "**" if row in best.get(column.figure, ()) else "") for column in COLUMNS
            ]
            p = [shown_p(comparison, row, figure) for figure in TESTED]
            lines.append(f"| {_markdown(f'{row.name} {missing_runs(row)}'.strip())} | {' | '.join(cells + p)} |")
        lines.append("")
    return "\n".join([*lines, *(f"- {_markdown(note)}" for note in notes(comparison))]) + "\n"


def as_latex(comparison: Comparison) -> str:
    """One ``tabular`` with booktabs' rules, the data sets below each other; the notes are comments above it."""
    titles = [_latex(column.title) for column in COLUMNS] + ["$p$ ($H$)", "$p$ (spread)"]
    lines = [f"% {note}" for note in notes(comparison)] + ["% needs: \\usepackage{booktabs}"]
    lines += [f"\\begin{{tabular}}{{l{'r' * len(titles)}}}", "\\toprule", f"method & {' & '.join(titles)} \\\\"]
    for dataset in comparison.datasets:
        lines += ["\\midrule", f"\\multicolumn{{{len(titles) + 1}}}{{l}}{{\\emph{{{_latex(dataset)}}}}} \\\\"]
        best = best_rows(comparison, dataset)
        for row in comparison.of(dataset):
            cells = [
                _latex_cell(row, index, row in best.get(column.figure, ())) for index, column in enumerate(COLUMNS)
            ]
            p = [_latex(shown_p(comparison, row, figure)) for figure in TESTED]
            lines.append(f"{_latex(f'{row.name} {missing_runs(row)}'.strip())} & {' & '.join(cells + p)} \\\\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}"]) + "\n"


def as_csv(comparison: Comparison) -> str:
    """A line per row: means, standard deviations and p of every figure as they are, not in percent."""
    names = [f"{figure}_{kind}" for figure in FIGURES for kind in ("mean", "sd", "p")]
    return _csv(
        ["dataset", "method", "loss", "seeds", "failed", "pairs", "test", "trials", *names],
        [
            [row.dataset, row.method, row.loss, len(row.runs), len(row.failures), comparison.significance(row, "H")[1],
             comparison.test, comparison.trials if row.searched else 0]
            + [_number(value) for figure in FIGURES
               for value in (*row.summary(figure), comparison.significance(row, figure)[0])]
            for row in comparison.rows
        ],
    )  # fmt: skip


def runs_csv(comparison: Comparison) -> str:
    """A line per run, the failed ones with their reason."""
    lines: list[list[object]] = []
    for row in comparison.rows:
        for seed in comparison.seeds:
            run = row.runs.get(seed)
            figures = [_number(run[figure]) if run is not None else "" for figure in FIGURES]
            lines.append([row.dataset, row.method, row.loss, seed, *figures, row.failures.get(seed, "")])
    return _csv(["dataset", "method", "loss", "seed", *FIGURES, "failure"], lines)


def _csv(header: list[str], lines: list[list[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return text.getvalue()


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"


def _joined(mean: str, deviation: str, mark: str) -> str:
    if not mean:
        return "–"
    return f"{mark}{mean}{mark}{f' ± {deviation}' if deviation else ''}"


def _latex_cell(row: Row, index: int, is_best: bool) -> str:
    mean, deviation = shown(row, COLUMNS[index])
    if not mean:
        return "--"
    mean = f"\\mathbf{{{mean}}}" if is_best else mean
    spread = f" \\pm {deviation}" if deviation else ""
    return f"${mean}{spread}$"


def _markdown(text: str) -> str:
    return text.replace("|", "\\|")


def _latex(text: str) -> str:
    """Text with what LaTeX takes for commands."""
    special = {
        "\\": "\\textbackslash{}",
        "–": "--",
        "<": "$<$",
        ">": "$>$",
        "~": "\\textasciitilde{}",
        "^": "\\textasciicircum{}",
    }
    special |= {sign: f"\\{sign}" for sign in "&%$#_{}"}
    return "".join(special.get(sign, sign) for sign in text)
