"""``rezsl evaluate``: score a saved model on test images."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Literal

from jsonargparse import ArgumentParser, Namespace

from rezsl.classifier import load_model, on_cached_regions
from rezsl.cli._config import add_data, caches_of_run, prepared, with_data
from rezsl.cli._options import instantiate, print_json
from rezsl.cli._parser import new_parser
from rezsl.cli._paths import image_files, local_run, report_problems
from rezsl.cli.predict import reading_images
from rezsl.devices import computing_device
from rezsl.errors import ArgumentError
from rezsl.evaluation import (
    HierarchicalErrors,
    evaluate,
    hierarchical_errors,
    json_value,
    read_class_groups,
    share_accepted,
)
from rezsl.report import refusals, results_table
from rezsl.terminal import Terminal

NO_STORE = "put the store back, or leave --foreign out"


def parser() -> ArgumentParser:
    """Return the parser."""
    options = new_parser("evaluate")
    options.add_argument("run", type=Path, metavar="RUN")
    options.add_argument("--revision", type=str | None, default=None)
    add_data(options)
    options.add_argument("--foreign", type=Path | None, default=None)
    options.add_argument("--class_groups", type=Path | None, default=None)
    options.add_argument("--device", type=str, default="auto")
    options.add_argument("--format", type=Literal["table", "json"], default="table")
    return options


prepare = prepared


def run(options: ArgumentParser, settings: Namespace) -> int:
    """Print the metrics; no file is written. Foreign photos that cannot be read are named, and the result is then 1.

    Test images that cannot be read are an error, because metrics of the others are not those of the data set.
    """
    named, settings.run = settings.run, local_run(settings.run, settings.revision)
    if settings.data is None and settings.run != named:
        raise ArgumentError(
            f"{named}: expected --data, because a model of the hub comes without its data; name them, as with "
            f"--data folder --data.root signs"
        )
    foreign = image_files([settings.foreign]) if settings.foreign is not None else None
    groups = read_class_groups(settings.class_groups) if settings.class_groups is not None else None
    device = computing_device(settings.device)
    model = load_model(settings.run)
    data = instantiate(options, with_data(options, settings, settings.run)).data
    # Foreign inputs are images, also where the model and its data have features of a store.
    reader = reading_images(model, settings.run, NO_STORE) if foreign else model
    unreadable: dict[int, str] = {}
    tested, inputs = on_cached_regions(model, data, caches_of_run(settings.run))
    result = evaluate(tested.to(device), inputs)
    if foreign:
        share = share_accepted(reader.to(device), foreign.files, candidates=data.semantics, unreadable=unreadable)
        result = replace(result, false_accept=share)
    errors = hierarchical_errors(result, groups) if groups is not None else None
    if settings.format == "json":
        print_json(result.to_dict() | ({"hierarchy": json_value(errors)} if errors is not None else {}))
    else:
        Terminal().print(results_table({data.name: result}, str(named)))
        if sentence := refusals(result):
            print(sentence)
        if errors is not None:
            print(*distances(errors), sep="\n")
    if foreign is None:
        return 0
    problems = [*foreign.problems, *unreadable.values()]
    total = len(foreign.files) + len(foreign.problems)
    return report_problems(problems, total, "photos in --foreign cannot be read and do not count")


def distances(errors: HierarchicalErrors) -> list[str]:
    """Return lines on how far off the choices are; a side without test images is left out."""
    lines = ["distance of the choices in the groups (0: the class itself, 1: nothing in common):"]
    for name, value in (
        ("seen classes", errors.seen),
        ("unseen classes", errors.unseen),
        ("mistakes", errors.mistakes),
    ):
        lines += [f"  {name:<15}{value:6.3f}"] if not math.isnan(value) else []
    return [*lines, f"  class or its nearest group right: {100 * errors.right_group:.1f} %"]
