"""``rezsl sweep``: search for settings on validation classes."""

import json
from argparse import SUPPRESS
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import yaml
from jsonargparse import ArgumentParser, Namespace
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from rezsl.cli import fit as fit_command
from rezsl.cli._config import files_of_options
from rezsl.cli._options import (
    advice_when_interrupted,
    check_ending,
    check_output_file,
    instantiate,
    parse,
    show,
    show_notes,
)
from rezsl.cli._without_effect import without_effect
from rezsl.cli.fit import dump_options
from rezsl.data import Benchmark
from rezsl.errors import ArgumentError, RezslError
from rezsl.experiments.clusters import Backend
from rezsl.experiments.search import SearchResult, SettingsSearch
from rezsl.experiments.space import SearchSpace, read_space
from rezsl.experiments.storage import storage_file
from rezsl.files import read_yaml
from rezsl.metrics import OBJECTIVES
from rezsl.terminal import Terminal
from rezsl.training import Callback, Choice, EpochRecord, Setup, Stage, select, with_word_vectors
from rezsl.writing import write_atomically

SEARCH = ("space", "trials", "processes", "backend", "address", "storage", "study", "objective", "output")
"""Options that :func:`rezsl.fit` does not have."""

PLACES = (*fit_command.OWN, "run_dir", "resume")
"""Options of rezsl fit that a trial does not have, because it leaves no run directory."""

OF_MACHINE = (
    "root",
    "splits",
    "word_vectors",
    "text_encoder",
    "cache",
    "workers",
    "accelerator",
    "devices",
    "strategy",
    "nodes",
)
"""Options in which several machines that share a study may differ."""


def parser() -> ArgumentParser:
    """Return the parser of ``rezsl fit`` with the options of the search added."""
    options = fit_command.parser()
    options.prog = "rezsl sweep"
    for action in options._actions:
        if action.dest in PLACES and action.dest != "config":
            action.help = SUPPRESS
    own = options.add_argument_group("the search")
    own.add_argument("--space", type=Path, required=True)
    own.add_argument("--trials", type=int, default=20)
    own.add_argument("--processes", type=int | None, default=None)
    own.add_argument("--backend", type=Backend, default="loky")
    own.add_argument("--address", type=str | None, default=None)
    own.add_argument("--storage", type=str | None, default=None)
    own.add_argument("--study", type=str, default="sweep")
    own.add_argument("--objective", type=Literal[OBJECTIVES], default="H")
    own.add_argument("-o", "--output", type=Path, required=True)
    return options


def prepare(arguments: list[str]) -> list[str]:
    """Let a file in the first place be the value of ``--config``."""
    if arguments and not arguments[0].startswith("-"):
        return ["--config", *arguments]
    return arguments


def run(options: ArgumentParser, settings: Namespace) -> None:
    """Search, print the result, and write the best options."""
    if settings.run_dir is not None or settings.resume:
        raise ArgumentError("run_dir, resume: expected neither; a sweep goes on with the study in its --storage")
    storage = settings.storage or str(settings.output.with_suffix(".journal"))
    _check_output(settings, storage)
    space = read_space(read_yaml(settings.space, ArgumentError), str(settings.space))
    kept = settings.clone()
    for name in (*SEARCH, *PLACES):
        kept.pop(name, None)
    text = dump_options(fit_command.parser(), kept)
    check_space(text, space, str(settings.space))
    show_notes(without_effect(settings))
    with advice_when_interrupted("the same command goes on with the study"):
        result = SettingsSearch(
            partial(_train, text),
            space,
            settings.trials,
            storage,
            settings.study,
            settings.objective,
            yaml.safe_load(text),
            settings.seed,
            settings.processes,
            OF_MACHINE,
            settings.backend,
            settings.address,
        ).run(show)
    best = with_values(text, result.values)
    write_atomically(settings.output, _header(result, settings) + dump_options(fit_command.parser(), best))
    Terminal().print(_table(result, space))
    show(f"written: {settings.output}", f"next: rezsl fit --config {settings.output} --run-dir RUN")


def _check_output(settings: Namespace, storage: str) -> None:
    """Check that the file of the best options takes the place of no file that is read, nor of the trials."""
    layers = [file for config in settings.config or () if config is not None for file in files_of_options(config)]
    check_output_file(settings.output, "best.yaml", settings, *layers)
    file = storage_file(storage)
    if file is not None and file.resolve() == settings.output.resolve():
        raise ArgumentError(
            f"output: expected another file than that of the trials (--storage), got {settings.output} for both; "
            f"choose another name, such as {settings.output.with_name('best.yaml')}"
        )
    check_ending(settings.output, ".yaml", ".yml")


def with_values(text: str, values: dict[str, Any], options: ArgumentParser | None = None) -> Namespace:
    """Return the options of a configuration with some of them replaced, by dotted name as on the command line.

    ``options`` is the parser of ``rezsl fit``, which takes nearly as long to make as a use of it; None makes one.
    """
    # JSON is YAML, and in it a text that looks like a number stays a text.
    given = [
        f"--{name}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in values.items()
    ]
    settings = parse(options or fit_command.parser(), [f"--config={text}", *given])
    for name in PLACES:
        settings.pop(name, None)
    return settings


def check_space(text: str, space: SearchSpace, source: str) -> None:
    """Check, before anything is trained, that every option exists and accepts its values."""
    for name in space:
        if name.partition(".")[0] in {"run_dir", "resume", "protocol", "config", "seed", "report"}:
            raise ArgumentError(
                f"{source}: {name}: expected an option that may be chosen by validation, got this one; remove it"
            )
    # All options at once, because parsing is slow; one by one only to find the wrong one.
    rounds, options = max((len(entry.samples) for entry in space.values()), default=0), fit_command.parser()
    try:
        for place in range(rounds):
            chosen = {name: entry.samples[place % len(entry.samples)] for name, entry in space.items()}
            with_values(text, chosen, options)
    except RezslError:
        for name, value in ((name, value) for name, entry in space.items() for value in entry.samples):
            try:
                with_values(text, {name: value}, options)
            except RezslError as error:
                reason = str(error).replace("rezsl sweep", "rezsl fit")
                raise ArgumentError(f"{source}: {name}: {reason}") from error


def _train(text: str, values: dict[str, Any], watch: Callable[[Choice], None]) -> Choice:
    """Return the choice of the selection stage, with some values laid over the options of a YAML text.

    ``watch`` is called with the choice after each epoch.
    """
    options, settings = fit_command.parser(), with_values(text, values)
    key = str(settings.data)
    if key in _benchmarks:
        settings.data = _benchmarks[key]
    arguments = instantiate(options, settings)
    if key not in _benchmarks:
        _benchmarks.clear()
        _benchmarks[key] = arguments.data
    given = fit_command.arguments_of_fit(arguments)
    if given["training"].devices != 1 or given["training"].nodes != 1:
        raise ArgumentError(
            "devices, nodes: expected 1 and 1 in a search, whose trials run in processes of their own (--processes), "
            f"got {given['training'].devices} and {given['training'].nodes}; leave them out"
        )
    data = with_word_vectors(given["data"], given["word_vectors"], given["text_encoder"], progress=False)
    parts = (given["model"], given["backbone"], given["training"])
    return select(Setup(data, *parts, callbacks=[_Watch(watch)], progress=False, cache=given["cache"]))[1]


_benchmarks: dict[str, Benchmark] = {}
"""The benchmark of the last trial in this process by its options, because most trials share one."""


class _Watch(Callback):
    """Reports the validation metrics of each epoch to the search, which may end a trial early."""

    def __init__(self, watch: Callable[[Choice], None]) -> None:
        self.watch = watch

    def on_epoch_end(self, stage: Stage, record: EpochRecord) -> None:
        if stage.name == "select":  # the first fold
            self.watch(Choice.of(record))


def _header(result: SearchResult, settings: Namespace) -> str:
    return (
        f"# Chosen by rezsl sweep on validation classes: {result.objective} {100 * result.score:.1f} %, the best of "
        f"{result.finished + result.pruned + result.failed} trials\n# ({result.pruned} given up early, "
        f"{result.failed} failed) over {', '.join(result.values)}; seed {settings.seed}.\n"
    )


def _table(result: SearchResult, space: SearchSpace) -> Table:
    """Return a table with the best value, the values tried and the importance of every option."""
    known = "share of the differences between trials (PED-ANOVA)"
    table = Table(
        box=SIMPLE_HEAD,
        pad_edge=False,
        title="best settings",
        title_justify="left",
        caption_justify="left",
        caption=f"validation {result.objective} {100 * result.score:.1f} %, the best of {result.finished} finished "
        f"trials; {result.pruned} given up early, {result.failed} failed\n"
        "the best of many is optimistic: only the test of rezsl fit says how good it is\n"
        f"importance: {known if result.importance else 'known from four finished trials on, if they differ'}",
    )
    for heading in ("option", "best", "tried", "importance"):
        table.add_column(heading, justify="right" if heading in ("best", "importance") else "left")
    for name in sorted(space, key=lambda name: -result.importance.get(name, 0.0)):
        value = result.values[name]
        shown = f"{value:.4g}" if isinstance(value, float) else str(value)
        share = f"{100 * result.importance[name]:.0f} %" if name in result.importance else "–"
        table.add_row(escape(name), escape(shown), escape(str(space[name])), share)
    return table
