"""What the runs of a comparison found: the figures of every seed, and what they sum up to."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rezsl.errors import RunDirectoryError
from rezsl.experiments.jobs import Folder
from rezsl.experiments.plan import Plan
from rezsl.experiments.significance import PairedTest, p_value
from rezsl.metrics import metrics_in

COMPARED = metrics_in("comparison")
"""The metrics of a run that comparisons show."""


@dataclass(frozen=True)
class Row:
    """One method with one loss on one data set.

    Attributes:
        dataset: its name.
        method: its name.
        loss: its name.
        runs: the figures of each finished run, by seed.
        failures: why the others are missing, by seed.
        searched: options that were chosen by the search.
    """

    dataset: str
    method: str
    loss: str
    runs: dict[int, dict[str, float]]
    failures: dict[int, str]
    searched: tuple[str, ...]

    @property
    def name(self) -> str:
        """For tables and legends."""
        return f"{self.method} + {self.loss}"

    def values(self, figure: str) -> list[float]:
        """A figure of every finished run; undefined ones (NaN) are left out."""
        return [run[figure] for run in self.runs.values() if not math.isnan(run[figure])]

    def summary(self, figure: str) -> tuple[float, float]:
        """Mean and standard deviation over seeds (n − 1); NaN where there are too few."""
        values = self.values(figure)
        mean = sum(values) / len(values) if values else math.nan
        if len(values) < 2:
            return mean, math.nan
        return mean, math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


@dataclass(frozen=True)
class Comparison:
    """All rows, and how they came about.

    Attributes:
        rows: in the plan's order.
        baseline: method and loss that the others are compared with.
        seeds: of the plan.
        trials: of each search; 0 where there was none.
        objective: the validation figure that was searched for.
        protocols: that the finished runs say they followed.
        test: of significance.
    """

    rows: tuple[Row, ...]
    baseline: tuple[str, str]
    seeds: tuple[int, ...]
    trials: int
    objective: str
    protocols: tuple[str, ...]
    test: PairedTest

    @property
    def datasets(self) -> tuple[str, ...]:
        """In the plan's order."""
        return tuple(dict.fromkeys(row.dataset for row in self.rows))

    def of(self, dataset: str) -> tuple[Row, ...]:
        """The rows of a data set."""
        return tuple(row for row in self.rows if row.dataset == dataset)

    def is_baseline(self, row: Row) -> bool:
        """Whether others are compared with this row."""
        return (row.method, row.loss) == self.baseline

    def significance(self, row: Row, figure: str) -> tuple[float, int]:
        """The p of a row's difference from the baseline on its data set, and the number of seeds that both have."""
        other = next((base for base in self.of(row.dataset) if self.is_baseline(base)), None)
        if other is None or other is row:
            return math.nan, 0
        shared = [seed for seed in row.runs if seed in other.runs]
        pairs = [(row.runs[seed][figure], other.runs[seed][figure]) for seed in shared]
        pairs = [pair for pair in pairs if not any(map(math.isnan, pair))]
        return p_value([ours for ours, _ in pairs], [theirs for _, theirs in pairs], self.test), len(pairs)


def collect(plan: Plan, folder: Folder, failures: Mapping[str, str], test: PairedTest = "t") -> Comparison:
    """Read the records of all runs.

    Raises:
        RunDirectoryError: a record is damaged; the message names it.
    """
    rows, protocols = [], set()
    for cell in plan.cells:
        runs, missing = {}, {}
        for seed in plan.seeds:
            job = folder.run_job(cell, plan, seed)
            if job.is_finished:
                runs[seed], protocol = _figures(job.finished)
                protocols.add(protocol)
            else:
                missing[seed] = failures.get(job.name, "not run")
        searched = tuple(cell.space) if plan.trials else ()
        rows.append(Row(cell.dataset, cell.method, cell.loss, runs, missing, searched))
    return Comparison(
        tuple(rows), plan.baseline, plan.seeds, plan.trials, plan.objective, tuple(sorted(protocols)), test
    )


def _figures(path: Path) -> tuple[dict[str, float], str]:
    """The figures of a run, and its protocol."""
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        test = record["test"]
        if test is None:
            raise RunDirectoryError(
                f"{path}: expected test figures, got none; the data set has no test images to compare on"
            )
        values = {metric.name: (record if metric.source == "run" else test)[metric.name] for metric in COMPARED}
        metrics = {name: math.nan if value is None else float(value) for name, value in values.items()}
        return metrics, str(test["protocol"])
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise RunDirectoryError(f"{path}: expected the figures of a run; the file is damaged") from error
