"""The page of a report: a template, filled with tables, plots and sentences."""

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from rezsl.errors import ArgumentError, needs
from rezsl.evaluation import AnalysisComparison, compare_analyses
from rezsl.files import write_atomically
from rezsl.report import _page_tables as tables
from rezsl.report._findings import findings
from rezsl.report._page_plots import page_plots
from rezsl.report._run import ReportedRun


def save_report(runs: Mapping[str, ReportedRun], path: str | Path, title: str = "") -> None:
    """Write a report of one or more runs: one HTML file that needs nothing else, whole or not at all.

    Args:
        runs: each by the name that the page shows.
        path: file to write.
        title: title of the page; the empty text stands for the names of data and runs.

    Raises:
        ArgumentError: there is no run.
        OSError: the file cannot be written.
    """
    write_atomically(Path(path), render_report(runs, title))


def render_report(runs: Mapping[str, ReportedRun], title: str = "") -> str:
    """Return the page as text; see :func:`save_report`."""
    with needs("report", "pages"):
        from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - only pages need it
    from markupsafe import Markup  # noqa: PLC0415 - comes with Jinja

    if not runs:
        raise ArgumentError("runs: expected at least one to report, got none")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.policies["json.dumps_kwargs"] = {
        "allow_nan": False, "ensure_ascii": False, "separators": (",", ":"), "sort_keys": False,
    }  # fmt: skip
    page = environment.from_string(_read("page.html"))
    metrics, rows = tables.headlines(runs)
    comparison, why_not = _compared(runs)
    return page.render(
        title=title or _title(runs),
        style=Markup(_read("style.css")),
        script=Markup(_read("script.js")),
        runs=[_run(name, run, f"r{number}") for number, (name, run) in enumerate(runs.items())],
        headline_metrics=metrics,
        headline_rows=rows,
        differences=tables.differences(comparison) if comparison is not None else [],
        why_not=why_not,
        matrices=tables.matrices(runs),
        version=version("rezsl"),
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def _run(name: str, run: ReportedRun, prefix: str) -> dict[str, Any]:
    from markupsafe import Markup  # noqa: PLC0415 - comes with Jinja

    analysis = run.analysis
    plots = page_plots(analysis, run.error_fall, prefix)
    return {
        "id": prefix,
        "name": name,
        "run": run,
        "findings": findings(analysis, run.validation_classes, run.error_fall),
        "plots": {name: Markup(svg) for name, svg in plots.items()},
        "confusion": tables.confusion(analysis),
        "pairs": tables.confused_pairs(analysis),
        "attributes": tables.attributes(analysis),
        "classes": tables.classes(analysis),
        "settings": tables.flattened(run.settings),
        "metrics": tables.flattened(run.metrics),
    }


def _compared(runs: Mapping[str, ReportedRun]) -> tuple[AnalysisComparison | None, str]:
    """Compare the runs; runs of different classes cannot be paired, and the page gives the reason."""
    if len(runs) < 2:
        return None, ""
    try:
        return compare_analyses({name: run.analysis for name, run in runs.items()}), ""
    except ArgumentError as error:
        return None, str(error)


def _title(runs: Mapping[str, ReportedRun]) -> str:
    data = ", ".join(dict.fromkeys(run.data for run in runs.values() if run.data))
    names = ", ".join(runs)
    return f"{data}: {names}" if data else names


def _read(name: str) -> str:
    return files("rezsl.report").joinpath("templates", name).read_text(encoding="utf-8")
