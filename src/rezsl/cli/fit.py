"""``rezsl fit``: train under the protocol and test once."""

import re
from argparse import ArgumentParser as StandardParser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from jsonargparse import ArgumentParser, Namespace
from PIL import Image

from rezsl.cli._announcement import announced
from rezsl.cli._config import ConfigFile, check_root, read_options
from rezsl.cli._options import add_resume, advice_when_interrupted, instantiate, show, show_notes
from rezsl.cli._parser import new_parser
from rezsl.cli._records import check_record
from rezsl.cli._table_findings import show_worst
from rezsl.cli._without_effect import without_effect
from rezsl.cli.choices import Benchmark, ImageBackbone
from rezsl.cli.loggers import Logger
from rezsl.cli.report import leave_report
from rezsl.errors import ArgumentError, RunDirectoryError
from rezsl.report import refusals, reported_run, results_table, save_curve, save_error_matrix
from rezsl.semantics import examine
from rezsl.terminal import Terminal
from rezsl.training import (
    FEW_CLASSES,
    KEPT,
    FitResult,
    RunDirectory,
    Training,
    fit,
    is_first_process,
    launched,
    next_run_directory,
)
from rezsl.training.loggers import log_image
from rezsl.writing import write_atomically

OWN = ("config", "report")
"""Options that neither :func:`rezsl.fit` nor :class:`rezsl.Training` has."""

PLOTS = ("curve.png", "error_matrix.png")
"""The plots of a run, as files in its directory."""

YES = ("true", "yes", "on")
"""The texts that YAML, and so every other option, reads as true."""


def parser() -> ArgumentParser:
    """Return the parser; the arguments of :func:`rezsl.fit` and the fields of :class:`rezsl.Training` are options."""
    options = new_parser("fit")
    options.add_argument("--config", action=ConfigFile)
    options.add_function_arguments(fit, skip={"training", "callbacks", "progress", "resume"}, fail_untyped=True)
    options.add_class_arguments(Training, fail_untyped=True)
    add_resume(options)
    options.add_argument(
        "--report", type=bool, default=True, help="draw the plots and write the page; rezsl report can do it later"
    )
    # The help of a model would list the arguments that training passes to it, because the builder may be null.
    help_of_model: Any = next(action for action in options._actions if action.dest == "model.help")
    help_of_model.sub_add_kwargs = {"skip": {2}}
    losses = {"loss": "ReMSELoss", "classification": "CrossEntropyLoss"}
    options.set_defaults({name: {"class_path": f"rezsl.losses.{loss}"} for name, loss in losses.items()})
    return options


def prepare(arguments: list[str]) -> list[str]:
    """Take the options of a resumed run from its own config.yaml."""
    known = StandardParser(add_help=False, allow_abbrev=False)
    known.add_argument("--resume", nargs="?", const="true", default="false")
    known.add_argument("--run-dir", nargs="?", type=Path)
    given, others = known.parse_known_args(arguments)
    if given.resume.lower() not in YES:
        return arguments
    if given.run_dir is None:
        raise ArgumentError("--resume: expected --run-dir as well, the directory of the run to continue, got none")
    kept = given.run_dir / "config.yaml"
    if kept.exists():
        pickles = any(re.match("--backbone[.]allow[-_]pickle(=|$)", word) for word in others)
        check_record(content := read_options(kept), kept, pickles)
        if not any(word.partition("=")[0] in ("--data", "--data.root") for word in others):
            check_root(content, kept)
        # The last value counts, and another configuration file may contain resume: false.
        return ["--config", str(kept), *arguments, "--resume=true"]
    if any(argument.partition("=")[0] in ("--config", "--data") for argument in others):
        return arguments
    if not given.run_dir.is_dir():
        raise RunDirectoryError(
            f"run_dir: {given.run_dir} does not exist, so there is nothing to resume; check the path"
        )
    raise RunDirectoryError(f"{kept}: no such file; give the options of the run again, beginning with --data")


def run(options: ArgumentParser, settings: Namespace) -> None:
    """Train, and write the table, the plots and the model into the run directory."""
    arguments = instantiate(options, settings)
    given = arguments_of_fit(arguments)
    launched(given["training"])
    if not is_first_process():
        fit(**given)
        return
    data = arguments.data
    is_new = settings.run_dir is None
    if is_new:
        settings.run_dir = given["run_dir"] = str(next_run_directory(data.name))
        show(f"run directory: {settings.run_dir} (--run-dir chooses another one)")
    with _config_kept(options, settings, is_new):
        show(f"{data.name}: {data.contents}", *(f"  note: {note}" for note in data.notes))
        show_worst(examine(data.semantics, data.seen_classes), _own_folder(settings.data))
        for line in announced(data, settings.backbone, given["training"]):
            show(line)
        show_notes(without_effect(settings, data))
        result = fit(**given)
    report(result, data, arguments.report)
    if arguments.logger is not None and result.run_dir is not None:
        log_pictures(arguments.logger, result.run_dir)


def _own_folder(data: Namespace) -> Path | None:
    """Return the folder of one's own images that ``--data folder`` reads; None for other data."""
    own = data.class_path.rpartition(".")[2] == "folder"
    return Path(data.init_args.root) if own else None


def arguments_of_fit(options: Namespace) -> dict[str, Any]:
    """Return the arguments of :func:`rezsl.fit`; the options that are fields of :class:`rezsl.Training` become one."""
    given = {name: value for name, value in vars(options).items() if name not in OWN}
    training = {field.name: given.pop(field.name) for field in fields(Training)}
    return given | {"training": Training(**training)}


def report(result: FitResult, data: Benchmark, drawn: bool) -> None:
    """Print the table of a finished run and, if ``drawn``, write its plots and its page."""
    choice, test, title, run = result.choice, result.test, data.name, result.run_dir
    epochs = f"{choice.epochs} epoch{'' if choice.epochs == 1 else 's'}"
    where = "the test classes (oracle protocol)" if result.model.protocol == "oracle" else "validation classes"
    backbone = result.model.backbone
    tried = data.regions is not None or (isinstance(backbone, ImageBackbone) and backbone.frozen)
    settled = choice.settled(in_full=tried)
    show(
        f"selected on {where}: {epochs}, γ = {choice.gamma:.2f}{', ' if settled else ''}{settled} "
        f"(there T1 {100 * choice.t1:.1f} %, H {100 * choice.harmonic_mean:.1f} ± {100 * choice.standard_error:.1f} %)",
        *(f"  note: {note}" for note in choice.notes),
    )
    if result.model.gamma != choice.gamma:
        show(
            f"γ = {result.model.gamma:.2f} is used, because a fold has fewer than {FEW_CLASSES} validation classes: of "
            f"the training images that are named right among the seen classes, {100 * KEPT:.0f} % are also named right "
            f"among seen and new ones"
        )
    if choice.t1_oracle is not None:
        show(
            f"highest T1 of any epoch: {100 * choice.t1_oracle:.1f} % after epoch {choice.t1_oracle_epoch} (T1_oracle, "
            f"which published tables report beside the U, S and H of another epoch)"
        )
    if test is None:
        show("no test: there are no test images of unseen classes, so only the validation metrics are known")
    else:
        Terminal().print(results_table({"test": test}, title))
        if sentence := refusals(test):
            show(sentence)
    if run is None:
        return
    if drawn:
        if test is not None and test.has_seen:
            save_curve({title: test}, run / PLOTS[0])
        if test is not None:
            save_error_matrix(test, run / PLOTS[1])
        leave_report(lambda: {title: reported_run(result.model, data, run, test)}, run / "report.html")
    names = ("report.html", *PLOTS, "metrics.json", "history.csv", "model.json")
    files = ", ".join(name for name in names if (run / name).exists())
    show(f"written to {run}: {files}", f"next: rezsl predict {run} IMAGES…")


def log_pictures(logger: Logger, run: Path) -> None:
    """Pass the plots of a finished run to a logger that takes images."""
    for name in PLOTS:
        if (path := run / name).exists():
            with Image.open(path) as picture:
                log_image(logger, f"test/{path.stem}", np.asarray(picture.convert("RGB")))
    logger.save()


@contextmanager
def _config_kept(options: ArgumentParser, settings: Namespace, is_new: bool) -> Iterator[None]:
    """Hold the run directory with the options in it, and remove them if the run is refused before it has begun.

    A directory that is new, because this command or :func:`rezsl.training.next_run_directory` made it, is removed too.
    """
    try:
        with RunDirectory.held(settings.run_dir, settings.resume) as directory:
            if not settings.resume:
                _keep_config(directory, options, settings)
            try:
                advice = f"an unfinished run goes on with rezsl fit --run-dir {directory.path} --resume"
                with advice_when_interrupted(advice):
                    yield
            except Exception:
                if not settings.resume and not directory.settings.exists():
                    directory.config.unlink(missing_ok=True)
                raise
    except Exception:
        if is_new:
            with suppress(OSError):  # it holds something
                Path(settings.run_dir).rmdir()
        raise


def _keep_config(directory: RunDirectory, options: ArgumentParser, settings: Namespace) -> None:
    """Write the options into the run directory, unless it holds a config.yaml of something else."""
    kept = settings.clone()
    kept.pop("config", None)
    text = dump_options(options, kept)
    # An equal file is left from a run that was killed before it began; another one may be written by hand.
    if directory.config.exists() and directory.config.read_text(encoding="utf-8", errors="replace") != text:
        raise RunDirectoryError(
            f"run_dir: {directory.path} holds a config.yaml that is not of this run; move it away, or choose another "
            f"directory"
        )
    write_atomically(directory.config, text)


def dump_options(options: ArgumentParser, settings: Namespace) -> str:
    """Return options as YAML in which nothing is left out: without its null, a loss would become the default again."""
    # By position: the third argument, whether to leave out None, has other names in earlier versions.
    return str(options.dump(settings, "parser_mode", False))
