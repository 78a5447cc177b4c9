"""``rezsl data make-splits`` writes ``splits.csv`` for a folder of one's own images."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace
from rich.markup import escape
from rich.table import Table

from rezsl.cli._options import show
from rezsl.cli._parser import new_parser
from rezsl.cli._table_findings import show_worst
from rezsl.data import MadeSplits, make_splits
from rezsl.terminal import Terminal


def parser() -> ArgumentParser:
    """Options of the command."""
    options = new_parser("data make-splits")
    options.add_argument("root", type=Path, metavar="DIR")
    options.add_argument("--unseen", type=str, nargs="+", default=["0.2"])
    options.add_argument("--validation", type=str, nargs="+", default=["0.2"])
    own: set[str | int] = {"root", "unseen", "validation", "mat", "overwrite"}
    options.add_function_arguments(make_splits, as_group=False, skip=own)
    options.add_argument("--mat", action="store_true")
    options.add_argument("--overwrite", action="store_true")
    return options


def run(_: ArgumentParser, settings: Namespace) -> int:
    """Write the files, and print the split of every class."""
    arguments = vars(settings) | {name: _share_or_names(settings[name]) for name in ("unseen", "validation")}
    made = make_splits(**arguments)
    _print(made)
    show_worst(made.findings, settings.root)
    return 0


def _share_or_names(values: Sequence[str]) -> float | list[str]:
    """Return a single number below 1 as a share, and all else as names, because classes may be called 2 and 5."""
    with suppress(ValueError):
        if len(values) == 1 and float(values[0]) < 1:
            return float(values[0])
    return list(values)


def _print(made: MadeSplits) -> None:
    tested = tuple({row.class_name for row in made.rows if row.split == "test_seen"})
    roles = made.roles
    classes = {"train": roles.train, "val": roles.validation, "test_seen": tested, "test_unseen": roles.unseen}
    table = Table()
    for heading in ("split", "images", "classes"):
        table.add_column(heading, justify="left" if heading == "split" else "right")
    table.add_column("", overflow="fold")
    for name, count in made.counts.items():
        listed = ", ".join(classes[name]) if name in ("val", "test_unseen") else ""
        table.add_row(name, f"{count:,}", str(len(classes[name])), escape(listed))
    Terminal().print(table)
    for note in made.notes:
        show(f"note: {note}")
    for path in made.written:
        show(f"wrote {path}")
