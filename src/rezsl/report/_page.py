"""The page of a report: its content, and the template that it fills with tables, plots and sentences."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rezsl.classifier import ZeroShotClassifier
from rezsl.data import Benchmark
from rezsl.errors import ArgumentError, RunDirectoryError, needs
from rezsl.evaluation import (
    Analysis,
    ErrorFall,
    Evaluation,
    analyse_evaluation,
    analyse_model,
    compare_analyses,
    load_error_fall,
)
from rezsl.files import read_json, write_atomically
from rezsl.metrics import metrics_in
from rezsl.report import _page_tables as tables
from rezsl.report._findings import findings
from rezsl.report._page_examples import ClassExamples, examples_of
from rezsl.report._page_plots import page_plots
from rezsl.report._text import named_with_protocol

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, eq=False)
class ReportedRun:
    """The part of a report about one model.

    Attributes:
        analysis: analysis of the model on the test images.
        data: name of the benchmark.
        notes: the repairs and decisions of the benchmark's reader.
        examples: images of unseen classes; none for features.
        error_fall: rate at which the errors on validation images fell in training; None without a record.
        settings: settings of the run in ``settings.json``; empty where there is no record.
        metrics: metrics of the finished run in ``metrics.json``; empty where there is no record.
    """

    analysis: Analysis
    data: str = ""
    notes: tuple[str, ...] = ()
    examples: tuple[ClassExamples, ...] = ()
    error_fall: ErrorFall | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)

    @property
    def validation_classes(self) -> int | None:
        """The number of classes on which γ was chosen; None where there is no record."""
        count: int | None = self.metrics.get("validation", {}).get("unseen_classes")
        return count


def reported_run(
    model: ZeroShotClassifier, benchmark: Benchmark, run_dir: Path | None = None, evaluation: Evaluation | None = None
) -> ReportedRun:
    """Analyse a model on the test images of a benchmark, and collect the content of a report.

    Args:
        model: a trained classifier.
        benchmark: data with test images.
        run_dir: its run directory, for the records of settings and metrics; None leaves them out.
        evaluation: evaluation of the model on the test images; None evaluates the model.

    Raises:
        DataError: there are no test images, or the benchmark does not fit the model.
        RunDirectoryError: a record is damaged.
    """
    analysis = analyse_model(model, benchmark) if evaluation is None else analyse_evaluation(evaluation)
    names = ("settings", "metrics")
    records = {name: run_dir / f"{name}.json" for name in names} if run_dir is not None else {}
    return ReportedRun(
        analysis=analysis,
        data=benchmark.name,
        notes=benchmark.notes,
        examples=examples_of(model, benchmark, analysis),
        error_fall=load_error_fall(run_dir) if run_dir is not None else None,
        **{name: read_json(path, RunDirectoryError) for name, path in records.items() if path.exists()},
    )


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
    page, style, script = ((TEMPLATES / name).read_text("utf-8") for name in ("page.html", "style.css", "script.js"))
    data = ", ".join(dict.fromkeys(run.data for run in runs.values() if run.data))
    names = ", ".join(runs)
    analyses = {name: run.analysis for name, run in runs.items()}
    differences, why_not = _differences(analyses)
    return environment.from_string(page).render(
        title=title or (f"{data}: {names}" if data else names),
        style=Markup(style),
        script=Markup(script),
        runs=[_run(name, run, f"r{number}") for number, (name, run) in enumerate(runs.items())],
        headlines=metrics_in("page"),
        differences=differences,
        why_not=why_not,
        matrices=tables.matrices(analyses.values()),
        version=version("rezsl"),
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def _run(name: str, run: ReportedRun, prefix: str) -> dict[str, Any]:
    from markupsafe import Markup  # noqa: PLC0415 - comes with Jinja

    analysis = run.analysis
    unseen = analysis.conventional
    return {
        "id": prefix,
        "name": name,
        "named": named_with_protocol(name, analysis.protocol),
        "run": run,
        "values": analysis.metrics(),
        "findings": findings(analysis, run.validation_classes, run.error_fall),
        "plots": {name: Markup(svg) for name, svg in page_plots(analysis, run.error_fall, prefix).items()},
        "confusion": unseen if unseen is not None and 1 < len(unseen.candidates) <= tables.MATRIX_CLASSES else None,
        "pairs": analysis.generalized.most_confused(tables.PAIRS),
        "attributes": tables.attributes(analysis),
        "classes": tables.classes(analysis),
        "settings": tables.flattened(run.settings),
        "metrics": tables.flattened(run.metrics),
    }


def _differences(analyses: Mapping[str, Analysis]) -> tuple[list[dict[str, str]], str]:
    """Compare the runs; runs of different classes cannot be paired, and the page gives the reason."""
    if len(analyses) < 2:
        return [], ""
    try:
        return tables.differences(compare_analyses(analyses)), ""
    except ArgumentError as error:
        return [], str(error)
