"""``python -m benchmarks``: print the speed table."""

import platform

import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks import attention, closed_forms, curve, region_store, remse, training
from benchmarks.timing import Comparison


def main() -> None:
    """Measure everything, one after the other."""
    torch.manual_seed(0)
    table = Table(
        box=SIMPLE_HEAD, title=f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    )
    for column in ("what", "literal", "rezsl", "ratio", "difference"):
        table.add_column(column, justify="left" if column == "what" else "right")
    rows = (attention, remse, curve, training, region_store, closed_forms)
    for measure in (module.measure for module in rows):
        for row in measure():
            table.add_row(*cells(row))
    Console().print(table)


def cells(row: Comparison) -> tuple[str, str, str, str, str]:
    """A row of the table: times in milliseconds."""
    ratio = row.literal_seconds / row.seconds
    return (
        row.what,
        f"{1e3 * row.literal_seconds:,.2f} ms",
        f"{1e3 * row.seconds:,.3f} ms",
        f"{ratio:,.{1 if ratio >= 10 else 2}f} ×",
        row.difference,
    )


main()
