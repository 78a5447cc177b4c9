"""``python -m benchmarks``: print the speed table."""

import platform

import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks import attention, closed_forms, curve, region_store, remse
from benchmarks.timing import Comparison


def main() -> None:
    """Measure everything, one after the other."""
    torch.manual_seed(0)
    table = Table(
        box=SIMPLE_HEAD, title=f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    )
    for column in ("what", "literal", "rezsl", "ratio", "difference"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for measure in (attention.measure, remse.measure, curve.measure, region_store.measure, closed_forms.measure):
        for row in measure():
            table.add_row(*cells(row))
    Console().print(table)


def cells(row: Comparison) -> tuple[str, str, str, str, str]:
    """A row of the table: times in milliseconds."""
    return (
        row.what,
        f"{1e3 * row.literal_seconds:,.2f} ms",
        f"{1e3 * row.seconds:,.3f} ms",
        f"{row.literal_seconds / row.seconds:,.1f} ×",
        row.difference,
    )


main()
