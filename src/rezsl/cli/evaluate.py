"""``rezsl evaluate``: score a saved model on test images."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from jsonargparse import ArgumentParser, Namespace

from rezsl.classifier import load_model, on_cached_regions
from rezsl.cli._config import add_data, caches_of_run, prepared, with_data
from rezsl.cli._options import instantiate, print_json
from rezsl.cli._parser import new_parser
from rezsl.cli._paths import check_run, image_files, report_problems
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


def run(options: ArgumentParser, settings: Namespace) -> int:
    """Print the metrics; no file is written. Foreign photos that cannot be read are named, and the result is then 1.

    Test images that cannot be read are an error, because metrics of the others are not those of the data set.
    """
    check_run(settings.run)
    foreign = image_files([settings.foreign]) if settings.foreign is not None else None
    model = load_model(settings.run)
    data = instantiate(options, with_data(options, settings, settings.run)).data
    # Foreign inputs are images, also where the model and its data have features of a store.
    reader = reading_images(model, settings.run, NO_STORE) if foreign else model
    unreadable: dict[int, str] = {}
    result = evaluate(*on_cached_regions(model, data, caches_of_run(settings.run)))
    if foreign:
        share = share_accepted(reader, foreign.files, candidates=data.semantics, unreadable=unreadable)
        result = replace(result, false_accept=share)
    if settings.format == "json":
        print_json(result.to_dict())
    else:
        Terminal().print(results_table({data.name: result}, str(settings.run)))
        if sentence := refusals(result):
            print(sentence)
    if foreign is None:
        return 0
    problems = [*foreign.problems, *unreadable.values()]
    total = len(foreign.files) + len(foreign.problems)
    return report_problems(problems, total, "photos in --foreign cannot be read and do not count")
