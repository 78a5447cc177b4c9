"""What a report says of one run."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rezsl.classifier import ZeroShotClassifier
from rezsl.data import Benchmark
from rezsl.errors import RunDirectoryError
from rezsl.evaluation import Analysis, ErrorFall, Evaluation, analyse_evaluation, analyse_model, load_error_fall
from rezsl.report._page_examples import ClassExamples, examples_of


@dataclass(frozen=True, eq=False)
class ReportedRun:
    """One model's part of a report.

    Attributes:
        analysis: of the model on the test images.
        data: name of the benchmark.
        notes: what the benchmark's reader had to repair or decide.
        examples: images of unseen classes; none for features.
        error_fall: how fast the errors on validation images fell in training; None where that is not known.
        settings: what decided the outcome, as ``settings.json`` records it; empty where there is no record.
        metrics: the figures of the finished run, as ``metrics.json`` records them; empty where there is no record.
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
        """On how many classes γ was chosen; None where there is no record."""
        validation = self.metrics.get("validation")
        count = validation.get("unseen_classes") if isinstance(validation, dict) else None
        return count if isinstance(count, int) else None


def reported_run(
    model: ZeroShotClassifier, benchmark: Benchmark, run_dir: Path | None = None, evaluation: Evaluation | None = None
) -> ReportedRun:
    """Analyse a model on a benchmark's test images and collect what a report needs.

    Args:
        model: a trained classifier.
        benchmark: what it is tested on.
        run_dir: its run directory, for the records of settings and metrics; None leaves them out.
        evaluation: of the model on the benchmark's test images; None makes it.

    Raises:
        DataError: there is nothing to analyse, or the benchmark does not fit the model.
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
    """Models can be tested without their records; they are then left out of the page."""
    if run_dir is None or not (run_dir / name).exists():
        return {}
    try:
        content = json.loads((run_dir / name).read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunDirectoryError(f"{run_dir / name}: expected JSON ({error}); the file is damaged") from error
    if not isinstance(content, dict):
        raise RunDirectoryError(f"{run_dir / name}: expected a JSON object; the file is damaged")
    return content
