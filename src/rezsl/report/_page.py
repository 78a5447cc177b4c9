"""The page of a report: its content, and the template that it fills with tables, plots and sentences."""

import base64
import hashlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from rezsl.classifier import ZeroShotClassifier, on_cached_regions
from rezsl.data import Benchmark, benchmark_checksums
from rezsl.errors import ArgumentError, RunDirectoryError, needs
from rezsl.evaluation import (
    Analysis,
    ErrorFall,
    Evaluation,
    PairedDifference,
    analyse_evaluation,
    analyse_model,
    analyse_validation,
    compare_analyses,
    load_error_fall,
)
from rezsl.files import local_path, read_json, reading
from rezsl.functional.choices import f1_of_choices
from rezsl.metrics import metrics_in
from rezsl.records import flat
from rezsl.report._findings import answers_on_attributes, answers_on_classes, headlines, warnings
from rezsl.report._page_examples import ClassExamples, examples_of
from rezsl.report._page_plots import curves_plot, page_plots
from rezsl.report._text import named_with_protocol, number, p_value, signed
from rezsl.writing import write_atomically

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATES = Path(__file__).parent / "templates"

MATRIX_CLASSES = 30
"""The most unseen classes for which the page has a confusion matrix besides the list of the worst pairs."""

PAIRS, TAKEN_FOR = 20, 2

SHOWN_CLASSES = 12
"""The most unseen classes on the first screen; the others are folded away below them."""

MOST_CLASSES, MOST_CARDS = 1000, 200
"""The most classes in the table and in the error matrix, and the most unseen classes that have a card each."""

DIGITS = 3
"""Significant digits of a cell of an error matrix: more than a colour shows, and a third of the size of a float."""

SMALLEST = 1e-6
"""Values of an error matrix below this one, in thousandths, are differences of rounding."""

IN_TABLES = ("class_f1", "attribute_r2", "attribute_ap", "attribute_auc")
"""Entries of metrics.json that the tables of classes and attributes have already."""

QUANTITIES = {
    "attribute_error": ("error of an attribute", 1000.0, "×10⁻³"),
    "class_error": ("error of a class", 1000.0, "×10⁻³"),
    "class_accuracy": ("accuracy of a class", 100.0, "points"),
    "unseen_class_accuracy": ("accuracy of an unseen class, unseen only", 100.0, "points"),
    "correlation_over_classes": ("correlation over classes", 1.0, ""),
    "absolute_correlation_over_classes": ("|correlation| over classes", 1.0, ""),
    "correlation_over_attributes": ("correlation over attributes", 1.0, ""),
    "absolute_correlation_over_attributes": ("|correlation| over attributes", 1.0, ""),
}


@dataclass(frozen=True, eq=False)
class ReportedRun:
    """The part of a report about one model.

    Attributes:
        analysis: of the model on the test images, or of the selection stage on the validation images.
        data: name of the benchmark.
        notes: the repairs and decisions of the benchmark's reader.
        examples: images of unseen classes; none for features.
        error_fall: rate at which the errors on validation images fell in training; None without a record.
        settings: settings of the run in ``settings.json``; empty where there is no record.
        metrics: metrics of the finished run in ``metrics.json``; empty where there is no record.
        is_test: whether the analysis is that of the test.
        untested: names of the unseen classes without images, which the model can name but nothing shows how well.
    """

    analysis: Analysis
    data: str = ""
    notes: tuple[str, ...] = ()
    examples: tuple[ClassExamples, ...] = ()
    error_fall: ErrorFall | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    is_test: bool = True
    untested: tuple[str, ...] = ()


def reported_run(
    model: ZeroShotClassifier,
    benchmark: Benchmark,
    run_dir: Path | None = None,
    evaluation: Evaluation | None = None,
    caches: Sequence[Path] = (),
) -> ReportedRun:
    """Analyse a model on the test images of a benchmark, and collect the content of a report.

    Where there are no test images of unseen classes, the run's own record of its validation is analysed instead.

    Args:
        model: a trained classifier.
        benchmark: data with test images, or the data of the run.
        run_dir: its run directory, for the records of settings and metrics; None leaves them out.
        evaluation: evaluation of the model on the test images; None evaluates the model.
        caches: directories with regions that trainings have extracted, by which the model is evaluated in seconds, see
            :func:`rezsl.classifier.on_cached_regions`.

    Raises:
        DataError: there are neither test images nor a record of the validation, or the benchmark does not fit.
        RunDirectoryError: a record is damaged.
    """
    index, kept = None, None
    if evaluation is None and run_dir is not None and not len(benchmark.split.test_unseen):
        kept = analyse_validation(run_dir, benchmark)
    if kept is not None:
        analysis, index = kept
    elif evaluation is not None:
        analysis = analyse_evaluation(evaluation)
    else:
        analysis = analyse_model(*on_cached_regions(model, benchmark, caches))
    with_images = set(benchmark.semantics.classes_of(benchmark.labels))
    names = ("settings", "metrics")
    paths = {name: run_dir / f"{name}.json" for name in names} if run_dir is not None else {}
    records = {name: read_json(path, RunDirectoryError) for name, path in paths.items() if path.exists()}
    if index is None and analysis.t1_oracle is None and records.keys() == set(names):
        with reading(paths["metrics"], "the metrics of a run that fit its settings.json", RunDirectoryError):
            analysis = _with_best_epoch(analysis, benchmark, **records)
    return ReportedRun(
        analysis=analysis,
        data=benchmark.name,
        notes=benchmark.notes,
        examples=examples_of(model, benchmark, analysis, index),
        is_test=index is None,
        untested=tuple(name for name in benchmark.semantics.classes if name not in with_images),
        error_fall=load_error_fall(run_dir) if run_dir is not None else None,
        **records,
    )


def _with_best_epoch(
    analysis: Analysis, benchmark: Benchmark, settings: dict[str, Any], metrics: dict[str, Any]
) -> Analysis:
    """Add the highest T1 of any epoch from a run's record, if the run has one and was tested on these images."""
    kept = metrics.get("test") or {}
    if "T1_oracle" not in kept:
        return analysis
    checksums = settings["data"]["checksums"]
    same = benchmark_checksums(benchmark, inputs=[])
    if any(same[part] != checksums[part] for part in ("labels", "semantics", "split")):
        return analysis
    return replace(analysis, t1_oracle=float(kept["T1_oracle"]), t1_oracle_epoch=int(kept["T1_oracle_epoch"]))


def source_of(text: str) -> str:
    """Return what a Content-Security-Policy calls a script or a style of this text, and no other one."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def family_style() -> str:
    """Return the style sheet that all pages of rezsl share: colours for light and dark, type, and controls."""
    return (TEMPLATES / "family.css").read_text("utf-8")


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
    write_atomically(local_path(path), render_report(runs, title))


@cache
def _template() -> "Template":
    """Return the template of the page, compiled once in a process."""
    with needs("report", "pages"):
        from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - only pages need it

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"number": number, "signed": signed, "p_value": p_value}
    environment.globals["undefined"] = math.nan
    environment.filters |= {"text": _text, "breakable": _breakable}
    environment.policies["json.dumps_kwargs"] = {
        "allow_nan": False, "ensure_ascii": False, "separators": (",", ":"), "sort_keys": False,
    }  # fmt: skip
    return environment.from_string((TEMPLATES / "page.html").read_text("utf-8"))


def render_report(runs: Mapping[str, ReportedRun], title: str = "") -> str:
    """Return the page as text; see :func:`save_report`."""
    template = _template()
    if not runs:
        raise ArgumentError("runs: expected at least one to report, got none; give one")
    style, script = ((TEMPLATES / name).read_text("utf-8") for name in ("style.css", "script.js"))
    style = family_style() + style
    data = ", ".join(dict.fromkeys(run.data for run in runs.values() if run.data))
    names = ", ".join(runs)
    analyses = {name: run.analysis for name, run in runs.items()}
    comparable = {name: one for name, one in analyses.items() if one.has_seen and one.has_unseen}
    differences, why_not = list[PairedDifference](), ""
    if len(runs) > 1:
        try:
            differences = [one for one in compare_analyses(analyses).differences if not math.isnan(one.mean)]
        except ArgumentError as error:  # runs of different classes cannot be paired
            why_not = str(error)
    return template.render(
        title=title or (f"{data}: {names}" if data and data != names else names),
        style=style,
        script=script,
        script_source=source_of(script),
        runs=[_run(name, run, f"r{number}") for number, (name, run) in enumerate(runs.items())],
        metrics=[
            metric for metric in metrics_in("page") if any(metric.name in one.metrics() for one in analyses.values())
        ],
        curves=curves_plot(comparable, "curves") if len(comparable) > 1 else "",
        shown_classes=SHOWN_CLASSES,
        differences=differences,
        quantities=QUANTITIES,
        why_not=why_not,
        matrices=_matrices(analyses.values()),
        version=version("rezsl"),
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def _run(name: str, run: ReportedRun, prefix: str) -> dict[str, Any]:
    analysis, unseen = run.analysis, run.analysis.conventional
    accuracy = analysis.generalized.accuracy_of
    pictures = {group.name: group for group in run.examples}
    known, sides = analysis.generalized, zip(analysis.classes, analysis.is_seen, strict=True)
    unseen_names = sorted((name for name, seen in sides if not seen), key=accuracy.__getitem__)
    shown = [(name, _taken_for(analysis, name), pictures.get(name)) for name in unseen_names[:MOST_CARDS]]
    correlation = analysis.correlation_over_attributes.pearson.value.tolist()
    f1 = f1_of_choices(known.truth, known.chosen, len(known.candidates))
    columns = (analysis.classes, analysis.is_seen, analysis.class_count.tolist(), analysis.class_errors.mean.tolist())
    return {
        "id": prefix,
        "name": name,
        "named": named_with_protocol(name, analysis.protocol),
        "run": run,
        "analysis": analysis,
        "values": analysis.metrics(),
        "headlines": headlines(analysis),
        "warnings": warnings(analysis),
        "unseen": shown,
        "without_card": len(unseen_names) - len(shown),
        "on_classes": answers_on_classes(analysis, run.is_test),
        "on_attributes": answers_on_attributes(analysis, run.error_fall),
        "plots": page_plots(analysis, run.error_fall, run.is_test, prefix),
        "confusion": unseen if unseen is not None and 1 < len(unseen.candidates) <= MATRIX_CLASSES else None,
        "pairs": analysis.generalized.most_confused(PAIRS),
        "classes": sorted(zip(*columns, correlation, strict=True), key=lambda row: accuracy[row[0]])[:MOST_CLASSES],
        "accuracy": accuracy,
        "f1": dict(zip(known.candidates, f1.tolist(), strict=True)),
        "attribute_measures": _attribute_measures(analysis),
        "settings": flat(run.settings),
        "metrics": flat(run.metrics, ignored=IN_TABLES),
    }


def _attribute_measures(analysis: Analysis) -> list[tuple[str, list[float]]]:
    """Return the title and the values of each measure that the table of attributes has besides errors."""
    measures = analysis.measures
    ranked = [("AP", measures.average_precision), ("AUC", measures.area_under_roc)] if measures is not None else []
    found = [("R²", analysis.attribute_r_squared), *ranked]
    return [(title, values.tolist()) for title, values in found if values is not None]


def _taken_for(analysis: Analysis, name: str) -> list[tuple[str, float]]:
    """Return the classes for which images of a class are taken most often, with their shares, without the class."""
    return [(pair.chosen, pair.share) for pair in analysis.generalized.most_confused(TAKEN_FOR, name)]


def _breakable(name: str) -> str:
    """Allow a line to break after each underscore and full stop of a name, by a blank without width."""
    return re.sub(r"([_.])", "\\1\N{ZERO WIDTH SPACE}", name)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _matrices(analyses: Iterable[Analysis]) -> list[dict[str, Any]]:
    """Return names, errors and values (both ×10³) of every run; a number in place of values names an equal run."""
    found: list[dict[str, Any]] = []
    for analysis in analyses:
        accuracy = analysis.generalized.accuracy_of
        rows = _shown_rows(analysis)
        classes = [analysis.classes[row] for row in rows]
        values = _thousandths(analysis.class_semantics[rows])
        same = next((place for place, earlier in enumerate(found) if earlier["values"] == values), None)
        found.append({
            "classes": classes,
            "attributes": list(analysis.attributes),
            "seen": [analysis.is_seen[row] for row in rows],
            "accuracy": [_json_number(100 * accuracy[name]) for name in classes],
            "errors": _thousandths(analysis.error_matrix[rows]),
            "values": values if same is None else same,
        })  # fmt: skip
    return found


def _shown_rows(analysis: Analysis) -> list[int]:
    """Return the rows of the classes with the lowest accuracies, as many as a page can hold, in their order."""
    accuracy = analysis.generalized.accuracy_of
    order = sorted(range(len(analysis.classes)), key=lambda row: accuracy[analysis.classes[row]])
    return sorted(order[:MOST_CLASSES])


def _thousandths(matrix: Tensor) -> list[list[float | int | None]]:
    return [[_json_number(1000 * value) for value in row] for row in matrix.tolist()]


def _json_number(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    rounded = float(f"{value:.{DIGITS}g}") if abs(value) > SMALLEST else 0.0
    return int(rounded) if rounded == int(rounded) else rounded
