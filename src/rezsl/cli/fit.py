"""``rezsl fit``: train under the protocol and test once."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace
from rich.console import Console

from rezsl.cli import choices, resume
from rezsl.cli.options import instantiate, new_parser
from rezsl.cli.report import leave_report
from rezsl.cli.yaml_file import ConfigFile
from rezsl.data import Benchmark
from rezsl.errors import ArgumentError, RunDirectoryError
from rezsl.files import write_atomically
from rezsl.report import reported_run, results_table, save_curve, save_error_matrix
from rezsl.training import FitResult, Training, fit
from rezsl.training.run_directory import RunDirectory

OWN = ("config", "report")
"""Options that neither :func:`rezsl.fit` nor :class:`rezsl.Training` has."""

SUMMARY = "train on a benchmark: select on validation classes, refit, test once"


def parser() -> ArgumentParser:
    """Every option of :func:`rezsl.fit` and field of :class:`rezsl.Training`, from YAML, command line or both."""
    options = new_parser("fit", SUMMARY)
    help_of_config = "a YAML file of these options, which later ones override; its entry base names a file below it"
    options.add_argument("--config", action=ConfigFile, help=help_of_config)
    options.add_function_arguments(fit, skip={"training", "progress"}, fail_untyped=True)
    options.add_class_arguments(Training, fail_untyped=True)
    options.add_argument(
        "--report", type=bool, default=True, help="draw figures and write the page; rezsl report can do it later"
    )
    losses = {"loss": "ReMSELoss", "classification": "CrossEntropyLoss"}
    options.set_defaults({name: {"class_path": f"rezsl.losses.{loss}"} for name, loss in losses.items()})
    return options


def prepare(arguments: list[str]) -> list[str]:
    """``--resume`` alone means true, and takes the options from the run's own config.yaml."""
    arguments = resume.spelled_out(arguments)
    if not resume.is_asked(arguments):
        return arguments
    joined = [argument.partition("=")[2] for argument in arguments if argument.startswith("--run_dir=")]
    apart = [value for name, value in pairwise(arguments) if name == "--run_dir"]
    if not joined + apart:
        raise ArgumentError("--resume: expected --run-dir as well, the directory of the run to go on with")
    kept = Path((joined + apart)[-1]) / "config.yaml"
    if not kept.exists() and not any(argument.partition("=")[0] in ("--config", "--data") for argument in arguments):
        if not kept.parent.is_dir():
            raise RunDirectoryError(f"run_dir: {kept.parent} does not exist, so there is nothing to resume")
        raise RunDirectoryError(f"{kept}: no such file; give the options of the run again, beginning with --data")
    rest = [argument for argument in arguments if not argument.startswith("--resume=")]
    # Last, for a configuration file may say otherwise.
    return [*(["--config", str(kept)] if kept.exists() else []), *rest, "--resume=true"]


def run(options: ArgumentParser, settings: Namespace) -> None:
    """Train, and leave table, figures and model in the run directory."""
    console = Console()
    arguments = instantiate(options, settings)
    given = arguments_of_fit(arguments)
    data = arguments.data
    with _kept(options, settings) if settings.run_dir is not None else nullcontext():
        console.print(f"{data}", highlight=False, markup=False)
        for note in data.notes:
            console.print(f"  note: {note}", highlight=False, markup=False)
        result = fit(**given)
    report(result, data, console, arguments.report)


def arguments_of_fit(options: Namespace) -> dict[str, Any]:
    """The arguments of :func:`rezsl.fit`: the options that are fields of :class:`rezsl.Training` become one of them."""
    given = {name: value for name, value in vars(options).items() if name not in OWN}
    training = {field.name: given.pop(field.name) for field in fields(Training)}
    return given | {"training": Training(**training)}


def report(result: FitResult, data: Benchmark, console: Console, drawn: bool) -> None:
    """Print the table of a finished run and, if they are wanted, write its figures and its page."""
    choice, title = result.choice, data.name
    epochs = f"{choice.epochs} epoch{'' if choice.epochs == 1 else 's'}"
    where = "the test classes (oracle protocol)" if result.model.protocol == "oracle" else "validation classes"
    console.print(
        f"selected on {where}: {epochs}, γ = {choice.gamma:.2f} "
        f"(there T1 {100 * choice.t1:.1f} %, H {100 * choice.harmonic_mean:.1f} ± {100 * choice.standard_error:.1f} %)",
        highlight=False,
    )
    for note in choice.notes:
        console.print(f"  note: {note}", highlight=False, markup=False)
    if result.test is None:
        console.print("no test: there are no test images of unseen classes; the validation figures are all there is")
    else:
        console.print(results_table({"test": result.test}, title))
        if result.run_dir is not None and drawn:
            if result.test.has_seen:
                save_curve({title: result.test}, result.run_dir / "curve.png")
            save_error_matrix(result.test, result.run_dir / "error_matrix.png")
            page = result.run_dir / "report.html"
            leave_report(lambda: {title: reported_run(result.model, data, page.parent, result.test)}, page, console)
    if result.run_dir is not None:
        names = ("report.html", "curve.png", "error_matrix.png", "metrics.json", "history.csv", "model.json")
        files = [name for name in names if (result.run_dir / name).exists()]
        console.print(f"written to {result.run_dir}: {', '.join(files)}", highlight=False, markup=False, soft_wrap=True)
        console.print(f"next: rezsl predict {result.run_dir} IMAGES…", highlight=False, markup=False, soft_wrap=True)


@contextmanager
def _kept(options: ArgumentParser, settings: Namespace) -> Iterator[None]:
    """Keep the options in the run directory, unless the run is refused before it has begun."""
    directory = RunDirectory(settings.run_dir, settings.resume)
    if not settings.resume:
        _keep_config(directory, _config(options, settings))
    try:
        with resume.advice_when_interrupted("an unfinished run goes on with the same --run-dir and --resume"):
            yield
    except Exception:
        if not settings.resume and not directory.settings.exists():
            directory.config.unlink(missing_ok=True)
            if directory.made:
                with suppress(OSError):  # it holds something else by now
                    directory.path.rmdir()
        raise


def _keep_config(directory: RunDirectory, text: str) -> None:
    # One that was left by a run that ended without a word is replaced; people also write such files by hand.
    if directory.config.exists() and directory.config.read_text(encoding="utf-8", errors="replace") != text:
        raise RunDirectoryError(
            f"run_dir: {directory.path} holds a config.yaml that is not of this run; move it away, or choose another "
            f"directory"
        )
    write_atomically(directory.config, text)


def _config(options: ArgumentParser, settings: Namespace) -> str:
    kept = settings.clone()
    kept.pop("config", None)
    kept["resume"] = False
    # Nothing left out: an option that is null, such as a loss, would otherwise come back as its default.
    # By position: the argument had another name in earlier versions of jsonargparse.
    text: str = options.dump(kept, "parser_mode", False)
    return text


__all__ = ["SUMMARY", "choices", "parser", "prepare", "report", "run"]
