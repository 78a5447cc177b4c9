"""Evaluations of several models as one table for the terminal."""

from collections.abc import Mapping

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from rezsl.evaluation import Evaluation
from rezsl.metrics import metrics_in

CHOSEN = {
    "honest": "U, S, H: at the γ chosen on validation classes",
    "oracle": "oracle protocol: epoch and γ chosen on the test classes, as in published tables; optimistic",
}


def results_table(evaluations: Mapping[str, Evaluation], title: str) -> Table:
    """Return a table with one row per model and one column per metric, for :mod:`rich`."""
    found = list(evaluations.values())
    caption = [CHOSEN[protocol] for protocol in sorted({evaluation.protocol for evaluation in found})]
    caption += [
        "H_oracle: best γ on test, as published tables report",
        "error (×10⁻³): mean and spread over attributes",
        "corr: Pearson, class semantics with error",
        *(f"note: {note}" for note in dict.fromkeys(note for evaluation in found for note in evaluation.notes)),
    ]
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), title=escape(title), title_justify="left")
    table.caption, table.caption_justify = "\n".join(caption), "left"
    table.add_column("")  # a long name takes two lines in a narrow terminal, so that no number is cut short
    metrics = metrics_in("table")
    for metric in metrics:
        table.add_column(metric.title, justify="right", no_wrap=True)
    for name, evaluation in evaluations.items():
        values = evaluation.metrics()
        cells = [metric.show(values[metric.name], signed=not metric.unit) for metric in metrics]
        table.add_row(escape(named_with_protocol(name, evaluation.protocol)), *cells)
    return table


def named_with_protocol(name: str, protocol: str) -> str:
    """Return a name for tables and legends that shows where a number was chosen on test classes."""
    return f"{name} (oracle protocol)" if protocol == "oracle" else name
