"""``rezsl report``: one HTML file on one or more runs."""

from collections.abc import Callable, Mapping
from itertools import chain
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from rezsl.classifier import load_model
from rezsl.cli._config import add_data, caches_of_run, prepared, with_data
from rezsl.cli._options import check_ending, check_output_file, instantiate, show
from rezsl.cli._parser import new_parser
from rezsl.cli._paths import finished_runs
from rezsl.cli.choices import Benchmark
from rezsl.devices import computing_device
from rezsl.errors import ArgumentError
from rezsl.report import ReportedRun, reported_run, save_report


def parser() -> ArgumentParser:
    """Return the parser."""
    options = new_parser("report")
    options.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    add_data(options)
    options.add_argument("-o", "--output", type=Path, default=Path("report.html"))
    options.add_argument("--device", type=str, default="auto")
    return options


prepare = prepared


def run(options: ArgumentParser, settings: Namespace) -> None:
    """Analyse every run on its test images and write the page."""
    runs, output = finished_runs(settings.runs), settings.output
    names, asked = _names(runs), [with_data(options, settings, directory) for directory in runs]
    caches = [caches_of_run(directory) for directory in runs]
    check_output_file(output, "report.html", *runs, *asked, *chain.from_iterable(caches))
    check_ending(output, ".html", ".htm")
    device = computing_device(settings.device)
    reported: dict[str, ReportedRun] = {}
    known: dict[str, Benchmark] = {}
    for name, directory, of_run, places in zip(names, runs, asked, caches, strict=True):
        model = load_model(directory).to(device)
        # Runs of one comparison mostly share a benchmark, and reading it may take longer than everything else.
        if (key := str(of_run.data)) not in known:
            known[key] = instantiate(options, of_run).data
        reported[name] = reported_run(model, known[key], directory, caches=places)
    save_report(reported, output)
    show(f"written to {output}")


def leave_report(collect: Callable[[], Mapping[str, ReportedRun]], path: Path) -> bool:
    """Write the report of runs that have just ended, and return whether that worked.

    A run of hours is complete by then, so that no error of the report may look like an error of the run.
    """
    try:
        save_report(collect(), path)
    except Exception as error:  # noqa: BLE001 - the line names the error, and rezsl report shows all of it
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        show(
            f"{path.name} was not written, but the run is complete ({reason}); rezsl report {path.parent} tries again",
        )
        return False
    return True


def _names(directories: list[Path]) -> list[str]:
    """Return names of directories, with as many of their parents as it takes to make them differ."""
    whole = [directory.absolute().resolve() for directory in directories]
    if len(set(whole)) < len(whole):
        twice = next(directory for directory in directories if whole.count(directory.absolute().resolve()) > 1)
        raise ArgumentError(f"runs: expected different directories, got {twice} twice; give each once")
    for depth in range(1, max(len(path.parts) for path in whole) + 1):
        names = ["/".join(path.parts[-depth:]) for path in whole]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in whole]
