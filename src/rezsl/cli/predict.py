"""``rezsl predict``: name the classes of images or feature rows."""

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from jsonargparse import ArgumentParser, Namespace
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rezsl.classifier import Ranked, load_model
from rezsl.cli.inputs import add_backbone, add_class_options, read_classes
from rezsl.cli.options import new_parser
from rezsl.data import FEATURE_SUFFIXES, find_images, read_feature_rows
from rezsl.errors import DataError


def parser() -> ArgumentParser:
    """Return the parser."""
    options = new_parser("predict")
    options.add_argument("run", type=Path, help="run directory of a trained model")
    options.add_argument(
        "inputs", type=Path, nargs="+", metavar="IMAGES",
        help="images, folders of images, or .npy/.mat files of feature rows, as the model was trained on",
    )  # fmt: skip
    add_class_options(options)
    options.add_argument("--top", type=int, default=5, help="how many classes to name for each input")
    options.add_argument("--format", type=Literal["table", "csv", "json"], default="table", help="how to print them")
    return options


def run(options: ArgumentParser, settings: Namespace) -> None:
    """Print the most probable classes of each input."""
    model = load_model(settings.run)
    candidates = read_classes(settings.classes)
    names: list[str]
    if any(path.suffix in FEATURE_SUFFIXES for path in settings.inputs):
        parts = [read_feature_rows(path) for path in settings.inputs]
        names = [
            f"{path} row {row}" for path, rows in zip(settings.inputs, parts, strict=True) for row in range(len(rows))
        ]
        ranked = [row for rows in parts for row in model.classify(rows, candidates, settings.top)]
    else:
        files = _image_files(settings.inputs)
        names = [str(file) for file in files]
        ranked = add_backbone(model, settings.run, settings.store).classify(files, candidates, settings.top)
    printers = {"table": _print_table, "csv": _print_csv, "json": _print_json}
    printers[settings.format](names, ranked)


def _image_files(paths: Sequence[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        found = find_images(path) if path.is_dir() else [path]
        if not found:
            raise DataError(f"{path}: expected a folder with images, found none")
        files += found
    return files


def _print_table(names: Sequence[str], ranked: Sequence[Sequence[Ranked]]) -> None:
    table = Table(caption="probability: softmax of the calibrated scores · * class without training images")
    table.caption_justify = "left"
    table.add_column("input", overflow="fold")
    for place in range(1, len(ranked[0]) + 1):
        table.add_column(f"{place}.", overflow="fold")
    for name, classes in zip(names, ranked, strict=True):
        table.add_row(
            escape(name),
            *(f"{escape(item.name)}{'' if item.seen else ' *'}  {100 * item.probability:.0f} %" for item in classes),
        )
    Console().print(table)


def _print_csv(names: Sequence[str], ranked: Sequence[Sequence[Ranked]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["input", "rank", *Ranked._fields])
    for name, classes in zip(names, ranked, strict=True):
        for place, item in enumerate(classes, start=1):
            writer.writerow(
                [name, place, item.name, f"{item.score:.6g}", f"{item.probability:.6g}", str(item.seen).lower()]
            )


def _print_json(names: Sequence[str], ranked: Sequence[Sequence[Ranked]]) -> None:
    content = [
        {"input": name, "classes": [item._asdict() for item in classes]}
        for name, classes in zip(names, ranked, strict=True)
    ]
    print(json.dumps(content, indent=2, ensure_ascii=False))
