"""``rezsl evaluate``: score a saved model on test images."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from jsonargparse import ArgumentParser, Namespace

from rezsl.classifier import load_model, on_cached_regions
from rezsl.cli._config import add_data, caches_of_run, prepared, with_data
from rezsl.cli._options import instantiate, print_json
from rezsl.cli._parser import new_parser
from rezsl.cli._paths import check_run, image_files
from rezsl.cli.predict import reading_images
from rezsl.evaluation import evaluate, share_accepted
from rezsl.report import refusals, results_table
from rezsl.terminal import Terminal

NO_STORE = "put the store back, or leave --foreign out"


def parser() -> ArgumentParser:
    """Return the parser."""
    options = new_parser("evaluate")
    options.add_argument("run", type=Path, metavar="RUN")
    add_data(options)
    options.add_argument("--foreign", type=Path | None, default=None)
    options.add_argument("--format", type=Literal["table", "json"], default="table")
    return options


prepare = prepared


def run(options: ArgumentParser, settings: Namespace) -> None:
    """Print the metrics; no file is written."""
    check_run(settings.run)
    foreign = image_files([settings.foreign]) if settings.foreign is not None else None
    model = load_model(settings.run)
    data = instantiate(options, with_data(options, settings, settings.run)).data
    # Foreign inputs are images, also where the model and its data have features of a store.
    reader = reading_images(model, settings.run, NO_STORE) if foreign else model
    result = evaluate(*on_cached_regions(model, data, caches_of_run(settings.run)))
    if foreign:
        result = replace(result, false_accept=share_accepted(reader, foreign, candidates=data.semantics))
    if settings.format == "json":
        print_json(result.to_dict())
    else:
        Terminal().print(results_table({data.name: result}, str(settings.run)))
        if sentence := refusals(result):
            print(sentence)
