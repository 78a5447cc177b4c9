"""The results of a comparison: the metrics of every run, their means over seeds, and tests of their differences."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Literal

from rezsl.errors import RunDirectoryError
from rezsl.experiments.jobs import Folder
from rezsl.experiments.plan import Cell, Plan
from rezsl.files import read_json, reading
from rezsl.metrics import Metric, metrics_in

COMPARED = metrics_in("comparison")
"""The metrics of a run that comparisons can show."""

PairedTest = Literal["t", "wilcoxon"]

LEAST_PAIRS = 3
"""With fewer pairs their spread cannot be estimated."""

CHANCE = 0.05
"""Differences with a p below this one are marked in tables."""


@dataclass(frozen=True)
class Row(Cell):
    """A cell of the plan with its results.

    Attributes:
        runs: metrics of each finished run, by seed.
        failures: by seed, the reason why a run is missing.
        caution: what readers must know of the model's figures; empty where there is nothing.
        collapses: by seed, the signs that a finished run has collapsed, see :attr:`rezsl.Evaluation.collapse`.
    """

    runs: dict[int, dict[str, float]]
    failures: dict[int, str]
    caution: str = ""
    collapses: dict[int, str] = field(default_factory=dict)

    def values(self, metric: str) -> list[float]:
        """Return a metric of every finished run; undefined values (NaN) are left out."""
        return [run[metric] for run in self.runs.values() if not math.isnan(run[metric])]

    def summary(self, metric: str) -> tuple[float, float]:
        """Return mean and standard deviation over seeds (n − 1); NaN where there are too few."""
        values = self.values(metric)
        return fmean(values) if values else math.nan, stdev(values) if len(values) > 1 else math.nan


@dataclass(frozen=True)
class Comparison:
    """All rows of a comparison in the order of its plan, the protocols of the finished runs, and the chosen test."""

    plan: Plan
    rows: tuple[Row, ...]
    protocols: tuple[str, ...]
    test: PairedTest

    @property
    def baseline(self) -> str:
        """The name of the row that the others are compared with."""
        return f"{self.plan.baseline['method']} + {self.plan.baseline['loss']}"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that the tables show; an optional one only where at least one run has it."""
        return tuple(
            metric for metric in COMPARED if not metric.optional or any(row.values(metric.name) for row in self.rows)
        )

    @property
    def tested(self) -> tuple[Metric, ...]:
        """Those whose difference from the baseline is tested in the tables; table.csv has the p of all metrics."""
        return tuple(metric for metric in self.metrics if metric.tested)

    @property
    def datasets(self) -> tuple[str, ...]:
        """The data sets in the order of the plan."""
        return tuple(dict.fromkeys(row.dataset for row in self.rows))

    def of(self, dataset: str) -> tuple[Row, ...]:
        """Return the rows of a data set."""
        return tuple(row for row in self.rows if row.dataset == dataset)

    def is_baseline(self, row: Row) -> bool:
        """Return whether the other rows are compared with this one."""
        return {"method": row.method, "loss": row.loss} == self.plan.baseline

    def significance(self, row: Row, metric: str, other: Row | None = None) -> tuple[float, int]:
        """Return p of a row's difference from another on its data set, and the number of seeds that both have.

        None stands for the baseline.
        """
        other = other or next((base for base in self.of(row.dataset) if self.is_baseline(base)), None)
        if other is None or other is row:
            return math.nan, 0
        shared = [seed for seed in row.runs if seed in other.runs]
        pairs = [(row.runs[seed][metric], other.runs[seed][metric]) for seed in shared]
        pairs = [pair for pair in pairs if not any(map(math.isnan, pair))]
        return p_value([ours for ours, _ in pairs], [theirs for _, theirs in pairs], self.test), len(pairs)

    def clear_best(self, dataset: str, metric: Metric) -> Row | None:
        """Return the row with the best mean, if it differs from the second best by more than chance; None without one.

        The difference is tested over the seeds that both rows have; below three there is no such row.
        """
        sign = {"up": -1.0, "down": 1.0, "neither": math.nan}[metric.better]
        means = [(sign * row.summary(metric.name)[0], row) for row in self.of(dataset)]
        ranked = [row for _, row in sorted((pair for pair in means if not math.isnan(pair[0])), key=itemgetter(0))]
        if len(ranked) < 2 or not self.significance(ranked[0], metric.name, ranked[1])[0] < CHANCE:
            return None
        return ranked[0]


def p_value(ours: Sequence[float], theirs: Sequence[float], test: PairedTest = "t") -> float:
    """Return the two-sided p of the paired differences, not corrected for the number of comparisons.

    The paired t-test assumes normal differences. Wilcoxon's signed-rank test does not, but with n seeds its p is at
    least 2^(1−n), which is 0.0625 for five.

    ``ours`` and ``theirs`` are a metric of two methods for the same seeds. p is NaN below three pairs, or if all pairs
    differ by the same amount; 1 if none differs.
    """
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    if len(differences) < LEAST_PAIRS:
        return math.nan
    if not any(differences):
        return 1.0
    # The differences of deterministic methods vary only by rounding, which is not a spread.
    largest = max(map(abs, differences))
    if max(differences) - min(differences) <= 1e-9 * largest:
        return math.nan
    from scipy.stats import ttest_1samp, wilcoxon  # noqa: PLC0415 - the import takes half a second, and only tables use it

    if test == "t":
        return float(ttest_1samp(differences, 0.0).pvalue)
    return float(
        wilcoxon(differences, method="exact" if len(set(map(abs, differences))) == len(differences) else "auto").pvalue
    )


def collect(folder: Folder, failures: Mapping[str, str], test: PairedTest = "t") -> Comparison:
    """Read the records of all runs; a damaged one is a :class:`RunDirectoryError`, which names it."""
    rows, protocols, plan = [], set(), folder.plan
    for cell in plan.cells:
        runs, missing, collapses, caution = {}, {}, {}, ""
        for seed in plan.seeds:
            job = folder.run_job(cell, seed)
            if job.is_finished:
                runs[seed], record = _read_metrics(job.finished)
                protocols.add(record["protocol"])
                caution = str(record.get("caution", ""))
                if record.get("collapse"):
                    collapses[seed] = "; ".join(record["collapse"])
            else:
                missing[seed] = failures.get(job.name, "not run")
        rows.append(Row(**vars(cell), runs=runs, failures=missing, caution=caution, collapses=collapses))
    return Comparison(plan, tuple(rows), tuple(sorted(protocols)), test)


def _read_metrics(path: Path) -> tuple[dict[str, float], dict[str, Any]]:
    """Read the metrics of a run, and the whole record of its test; a metric that is newer than the run is NaN."""
    described, remedy = "the metrics of a run", "run it again"
    record = read_json(path, RunDirectoryError, described, remedy)
    with reading(path, described, RunDirectoryError, remedy):
        test = record["test"]
        if test is None:
            raise RunDirectoryError(
                f"{path}: expected test metrics, got none; the data set has no test images, compare on another"
            )
        values = {
            metric.name: metric.read(record) if metric.source == "run" else test.get(metric.name) for metric in COMPARED
        }
        metrics = {name: math.nan if value is None else float(value) for name, value in values.items()}
        return metrics, {**test, "protocol": str(test["protocol"])}
