"""``rezsl evaluate``: score a saved model on test images."""

import json
from pathlib import Path
from typing import Literal

from jsonargparse import ArgumentParser, Namespace
from rich.console import Console

from rezsl.classifier import load_model
from rezsl.cli import choices
from rezsl.cli.options import instantiate, new_parser
from rezsl.cli.own_data import own_data
from rezsl.data import Benchmark
from rezsl.evaluation import evaluate
from rezsl.report import results_table

SUMMARY = "score a trained model on the test images of its own or another benchmark"


def parser() -> ArgumentParser:
    """Options of the command."""
    options = new_parser("evaluate", SUMMARY)
    options.add_argument("run", type=Path, help="run directory of a trained model")
    options.add_argument(
        "--data", type=Benchmark | None, default=None, help="another benchmark (default: the run's own)"
    )
    options.add_argument("--format", type=Literal["table", "json"], default="table", help="how to print the figures")
    return options


def run(options: ArgumentParser, settings: Namespace) -> None:
    """Print the figures; nothing is written."""
    model = load_model(settings.run)
    if settings.data is None:
        settings["data"] = own_data(options, settings.run)
    data = instantiate(options, settings).data
    result = evaluate(model, data)
    if settings.format == "json":
        print(json.dumps(result.to_dict(), indent=2, ensure_ascii=False))
    else:
        Console().print(results_table({data.name: result}, str(settings.run)))


__all__ = ["SUMMARY", "choices", "parser", "run"]
