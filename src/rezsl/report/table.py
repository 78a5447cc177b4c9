"""Results side by side, for the terminal."""

import math
from collections.abc import Mapping

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from rezsl.evaluation import Evaluation

PERCENT = ("T1", "U", "S", "H", "AUSUC", "H_oracle")


def results_table(results: Mapping[str, Evaluation], title: str) -> Table:
    """One row per model: accuracies in percent, errors of unit-length semantics in thousandths."""
    chosen = {"honest": "U, S, H: at the γ chosen on validation classes"}
    chosen["oracle"] = "oracle protocol: epoch and γ chosen on the test classes, as in published tables; optimistic"
    protocols = sorted({result.protocol for result in results.values()})
    table = Table(
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        title=escape(title),
        title_justify="left",
        caption="\n".join(chosen[protocol] for protocol in protocols) + "\n"
        "H_oracle: best γ on test, as published tables report\n"
        "error (×10⁻³): mean and spread over semantics\n"
        "corr: Pearson, class semantics with error",
        caption_justify="left",
    )
    table.add_column("")  # a long name takes two lines in a narrow terminal, so that no figure is cut short
    for name in (*PERCENT, "error", "spread", "corr"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, result in results.items():
        figures = result.metrics()
        table.add_row(
            escape(named_with_protocol(name, result)),
            *(_known(100 * figures[column], ".1f") for column in PERCENT),
            f"{1000 * figures['error_mean']:.1f}",
            f"{1000 * figures['error_spread']:.1f}",
            _known(figures["error_correlation"], "+.2f"),
        )
    notes = dict.fromkeys(note for result in results.values() for note in result.notes)
    table.caption = "\n".join([str(table.caption), *(f"note: {note}" for note in notes)])
    return table


def _known(value: float, form: str) -> str:
    """A number, or a dash where it is undefined."""
    return "–" if math.isnan(value) else format(value, form)


def named_with_protocol(name: str, result: Evaluation) -> str:
    """A name for tables and legends that does not hide where a figure was chosen on test classes."""
    return f"{name} (oracle protocol)" if result.protocol == "oracle" else name
