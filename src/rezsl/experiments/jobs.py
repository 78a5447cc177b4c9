"""The command lines of a comparison: the search of each cell, and after it the runs with each seed."""

from dataclasses import dataclass
from pathlib import Path

from rezsl.experiments.plan import Cell, Plan
from rezsl.files import write_json


@dataclass(frozen=True)
class Job:
    """One command of a comparison.

    Attributes:
        name: its name in messages.
        arguments: the command line after ``rezsl``.
        finished: a file that exists once the command has succeeded.
        log: the file of its output.
    """

    name: str
    arguments: tuple[str, ...]
    finished: Path
    log: Path

    @property
    def is_finished(self) -> bool:
        """Whether the command has succeeded already."""
        return self.finished.exists()


class Folder:
    """The directory of a comparison, with its runs, searches and logs.

    Args:
        path: the directory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def plan(self) -> Path:
        """The file of the plan."""
        return self.path / "plan.json"

    def jobs(self, plan: Plan) -> list[Job]:
        """Return every command of the comparison."""
        searches = [self.search_job(cell, plan) for cell in plan.cells]
        runs = [self.run_job(cell, plan, seed) for cell in plan.cells for seed in plan.seeds]
        return [job for job in searches if job is not None] + runs

    def search_job(self, cell: Cell, plan: Plan) -> Job | None:
        """Return the command that searches for a cell; None if nothing is searched."""
        if not cell.space:
            return None
        best = self._best(cell)
        arguments = (
            "sweep", str(self._config(cell)), "--space", str(self._space(cell)), "--trials", str(plan.search.trials),
            "--objective", plan.search.objective, "--seed", str(plan.seeds[0]), "-o", str(best),
        )  # fmt: skip
        return Job(f"{cell.name} search", arguments, best, self.path / "logs" / cell.name / "search.log")

    def run_job(self, cell: Cell, plan: Plan, seed: int) -> Job:
        """Return the command that trains and tests a cell with a seed, and resumes an interrupted run."""
        config = self._best(cell) if self.search_job(cell, plan) is not None else self._config(cell)
        run = self.path / "runs" / cell.name / f"seed-{seed}"
        # Plots and pages take longer than many trainings, so they are left to rezsl report.
        arguments = ["fit", "--config", str(config), "--seed", str(seed), "--run-dir", str(run), "--report", "false"]
        if (run / "settings.json").exists():
            arguments.append("--resume")
        log = self.path / "logs" / cell.name / f"seed-{seed}.log"
        return Job(f"{cell.name} seed {seed}", tuple(arguments), run / "metrics.json", log)

    def write_configs(self, plan: Plan) -> None:
        """Write the options and the search space of every cell, as JSON, which is also YAML."""
        for cell in plan.cells:
            self._config(cell).parent.mkdir(parents=True, exist_ok=True)
            self._best(cell).parent.mkdir(parents=True, exist_ok=True)
            write_json(self._config(cell), cell.options)
            write_json(self._space(cell), cell.space)

    def _config(self, cell: Cell) -> Path:
        return self.path / "configs" / f"{cell.name}.yaml"

    def _space(self, cell: Cell) -> Path:
        return self.path / "configs" / f"{cell.name}.space.yaml"

    def _best(self, cell: Cell) -> Path:
        return self.path / "search" / f"{cell.name}.yaml"
