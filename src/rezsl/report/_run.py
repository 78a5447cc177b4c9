"""The content of a report about one run."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rezsl.classifier import ZeroShotClassifier
from rezsl.data import Benchmark
from rezsl.errors import RunDirectoryError
from rezsl.evaluation import Analysis, ErrorFall, Evaluation, analyse_evaluation, analyse_model, load_error_fall
from rezsl.files import read_json
from rezsl.report._page_examples import ClassExamples, examples_of


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
        validation = self.metrics.get("validation")
        count = validation.get("unseen_classes") if isinstance(validation, dict) else None
        return count if isinstance(count, int) else None


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
    return ReportedRun(
        analysis=analysis,
        data=benchmark.name,
        notes=benchmark.notes,
        examples=examples_of(model, benchmark, analysis),
        error_fall=load_error_fall(run_dir) if run_dir is not None else None,
        settings=_record(run_dir, "settings.json"),
        metrics=_record(run_dir, "metrics.json"),
    )


def _record(run_dir: Path | None, name: str) -> dict[str, Any]:
    """Read a record of a run; it is empty for a model without records."""
    if run_dir is None or not (run_dir / name).exists():
        return {}
    return read_json(run_dir / name, RunDirectoryError)
