"""``rezsl data check`` reports what a directory of a data set contains, what is missing, and where to get it."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from jsonargparse import ArgumentParser, Namespace
from rich.markup import escape
from rich.table import Table

from rezsl.cli._options import print_json, show
from rezsl.cli._parser import new_parser
from rezsl.cli._table_findings import show_findings
from rezsl.data import SPLIT_NAMES, FolderReport, Inventory, check_directory
from rezsl.terminal import Terminal

INCOMPLETE = 1


def parser() -> ArgumentParser:
    """Options of the command."""
    options = new_parser("data check")
    options.add_argument("root", type=Path, metavar="DIR")
    options.add_argument("--decode", action="store_true")
    options.add_argument("--format", type=Literal["table", "json"], default="table")
    return options


def run(_: ArgumentParser, settings: Namespace) -> int:
    """Print the findings; return 0 if the directory can be used as it is, 1 if something is missing or damaged."""
    inventory = check_directory(settings.root, settings.decode)
    if settings.format == "json":
        content = asdict(inventory) | {"root": str(inventory.root), "complete": inventory.complete}
        print_json(content)
    elif isinstance(inventory, FolderReport):
        _print_report(inventory)
    else:
        _print_inventory(inventory)
    return 0 if inventory.complete else INCOMPLETE


def _print_inventory(inventory: Inventory) -> None:
    unknown = inventory.kind == "unknown"
    title = "no data set that rezsl reads" if unknown else f"{inventory.title}, for --data {inventory.kind}"
    show(f"{inventory.root}: {title}")
    for count in inventory.counts:
        found = "unknown" if count.found is None else f"{count.found:,}"
        expected = "" if count.expected is None or count.right else f", expected {count.expected:,}"
        show(f"  {count.what}: {found}{expected}")
    _print_list("found", inventory.found)
    for note in inventory.notes:
        show(f"note: {note}")
    _print_list("expected" if unknown else "missing", inventory.missing)
    _print_list("to download", inventory.downloads)
    show("complete" if inventory.complete else "not complete")


def _print_report(report: FolderReport) -> None:
    if report.classes:
        Terminal().print(_class_table(report))
    _print_list("classes without images", report.without_images)
    _print_list("images that splits.csv leaves out", report.unlisted)
    for note in report.notes:
        show(f"note: {note}")
    show_findings(report.findings)
    _print_list("problems", report.problems)
    if report.complete:
        decoded = "every image was decoded" if report.decoded else "images were not decoded; add --decode for that"
        if report.passed_over:
            count = len(report.passed_over)
            decoded += f"; {count:,} {'file was' if count == 1 else 'files were'} passed over, see the notes"
        show(f"can be used as it is ({decoded})")


def _class_table(report: FolderReport) -> Table:
    # Splits without a single image would be empty columns.
    splits = [name for name in SPLIT_NAMES if any(counts[name] for counts in report.splits.values())]
    table = Table(show_footer=True)
    table.add_column("class", footer=f"{len(report.classes)} classes", overflow="fold")
    table.add_column("images", footer=f"{sum(report.classes.values()):,}", justify="right")
    for name in splits:
        total = sum(counts[name] for counts in report.splits.values())
        table.add_column(name, footer=f"{total:,}", justify="right")
    for class_name, images in report.classes.items():
        counts = report.splits.get(class_name, {})
        table.add_row(
            escape(class_name), f"{images:,}", *(f"{counts[name]:,}" if counts.get(name) else "" for name in splits)
        )
    return table


def _print_list(heading: str, lines: Sequence[str], most: int = 20) -> None:
    if not lines:
        return
    show(f"{heading}:")
    for line in lines[:most]:
        show(f"  {line}")
    if len(lines) > most:
        show(f"  and {len(lines) - most} more; --format json lists them")
