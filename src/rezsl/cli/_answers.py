"""The answers of ``rezsl predict``: as a table that fits the terminal, as CSV and as JSON."""

import math
import os
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from rezsl.classifier import Answer, Ranked
from rezsl.cli._options import print_json as print_as_json
from rezsl.errors import printable, shortened
from rezsl.files import csv_text
from rezsl.terminal import Terminal

FAR = "far from every description"

BLANKS = 6
"""The blanks beside and between three columns."""


def print_table(names: Sequence[str], answers: Sequence[Answer]) -> None:
    """Print a line for each input, with its classes side by side, or a line for each class where that is too wide."""
    console, names = Terminal(), [*map(printable, names)]
    table = _side_by_side(names, answers)
    too_wide = console.measure(table, options=console.options.update(max_width=10_000)).maximum > console.width
    if too_wide:
        table = _one_below_the_other(names, answers, console.width)
    notes = ["probability: of the class among the candidates", "*: a class without training images"]
    if any(answer.far for answer in answers):
        notes.append(f"{FAR}: unlike the training images and the classes, so no class is named")
    if too_wide and any("…" in cell for column in table.columns for cell in map(str, column.cells)):
        notes.append("…: a part of the name is left out; --format csv has all of it")
    console.print(table)
    console.print("\n".join(notes), style="dim", highlight=False, markup=False)


def _side_by_side(names: Sequence[str], answers: Sequence[Answer]) -> Table:
    table = _table()
    table.add_column("input", no_wrap=True)
    for place in range(1, len(answers[0]) + 1):
        table.add_column(f"{place}.", no_wrap=True)
    for name, answer in zip(names, answers, strict=True):
        classes = [f"{escape(_starred(item))}  {_percent(item)}" for item in answer]
        table.add_row(escape(name), *([FAR] if answer.far else classes))
    return table


def _one_below_the_other(names: Sequence[str], answers: Sequence[Answer], width: int) -> Table:
    """Return a table with a line for each class, in which long names are shortened to the width."""
    room = width - len("probability") - BLANKS
    shown = [FAR if answer.far else _starred(item) for answer in answers for item in answer]
    of_class = min(max(map(len, shown)), room // 2)
    of_input = room - of_class
    table = _table()
    table.add_column("input", no_wrap=True)
    table.add_column("class", no_wrap=True)
    table.add_column("probability", justify="right", no_wrap=True)
    for name, answer in zip(names, answers, strict=True):
        rows = [(_starred(item, of_class), _percent(item)) for item in answer]
        if answer.far:
            rows = [(shortened(FAR, of_class), "")]
        for place, (class_name, probability) in enumerate(rows):
            first = escape(shortened_path(name, of_input)) if place == 0 else ""
            last = place == len(rows) - 1 and len(rows) > 1
            table.add_row(first, escape(class_name), probability, end_section=last)
    return table


def _table() -> Table:
    return Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))


def _starred(item: Ranked, most: int = 10_000) -> str:
    """Return the name of a class, with a star if there are no training images of it, in at most so many characters."""
    return shortened(item.name, most) if item.seen else f"{shortened(item.name, most - 2)} *"


def _percent(item: Ranked) -> str:
    return f"{100 * item.probability:.0f} %"


def shortened_path(path: str, most: int) -> str:
    """Leave out the first folders of a path that is too long; the file's name is cut in its middle as a last resort.

    >>> shortened_path("photos/give way/2024/001.jpg", 20)
    '…/2024/001.jpg'
    """
    parts = path.split(os.sep)
    endings = [path, *(os.sep.join(["…", *parts[first:]]) for first in range(1, len(parts)))]
    return next((ending for ending in endings if len(ending) <= most), shortened(parts[-1], most))


def print_csv(names: Sequence[str], answers: Sequence[Answer]) -> None:
    """Print a line for each class of each input."""
    rows = [
        [name, place, item.name, f"{item.score:.6g}", f"{item.probability:.6g}", str(item.seen).lower(), *_far(answer)]
        for name, answer in zip(names, answers, strict=True)
        for place, item in enumerate(answer, start=1)
    ]
    print(csv_text(["input", "rank", *Ranked._fields, "strangeness", "far"], rows), end="")


def _far(answer: Answer) -> tuple[str, str]:
    """Return the cells of the strangeness and of whether it is too large; both are empty where they are not known."""
    return ("", "") if math.isnan(answer.strangeness) else (f"{answer.strangeness:.6g}", str(answer.far).lower())


def print_json(names: Sequence[str], answers: Sequence[Answer]) -> None:
    """Print a list with an object for each input."""
    content = [
        {
            "input": name,
            "strangeness": None if math.isnan(answer.strangeness) else answer.strangeness,
            "far": None if math.isnan(answer.strangeness) else answer.far,
            "classes": [item._asdict() for item in answer],
        }
        for name, answer in zip(names, answers, strict=True)
    ]
    print_as_json(content)
