"""The command lines of a comparison, in their order: a cell's search first, then its seeds."""

import json
from dataclasses import dataclass
from pathlib import Path

from rezsl.experiments.plan import Cell, Plan
from rezsl.files import write_atomically


@dataclass(frozen=True)
class Job:
    """One command.

    Attributes:
        name: what a person is told.
        arguments: after ``rezsl``.
        finished: a file that is there once it is done.
        log: where its output goes.
    """

    name: str
    arguments: tuple[str, ...]
    finished: Path
    log: Path

    @property
    def is_finished(self) -> bool:
        """Whether it need not be run again."""
        return self.finished.exists()


class Folder:
    """Where a comparison keeps its runs, searches and logs.

    Args:
        path: the directory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def plan(self) -> Path:
        """The plan that it was begun with."""
        return self.path / "plan.json"

    def config(self, cell: Cell) -> Path:
        """The options of a cell, as the plan gives them."""
        return self.path / "configs" / f"{cell.name}.yaml"

    def space(self, cell: Cell) -> Path:
        """What is searched for a cell."""
        return self.path / "configs" / f"{cell.name}.space.yaml"

    def best(self, cell: Cell) -> Path:
        """The options that the search found."""
        return self.path / "search" / f"{cell.name}.yaml"

    def run(self, cell: Cell, seed: int) -> Path:
        """The run directory."""
        return self.path / "runs" / cell.name / f"seed-{seed}"

    def search_job(self, cell: Cell, plan: Plan) -> Job | None:
        """The command that searches for a cell; None where nothing is searched."""
        if not cell.space or not plan.trials:
            return None
        best = self.best(cell)
        arguments = (
            "sweep", str(self.config(cell)), "--space", str(self.space(cell)), "--trials", str(plan.trials),
            "--objective", plan.objective, "--seed", str(plan.seeds[0]), "-o", str(best),
        )  # fmt: skip
        return Job(f"{cell.name} search", arguments, best, self.path / "logs" / cell.name / "search.log")

    def run_job(self, cell: Cell, plan: Plan, seed: int) -> Job:
        """The command that trains and tests a cell with a seed; one that was interrupted goes on."""
        config = self.best(cell) if self.search_job(cell, plan) is not None else self.config(cell)
        run = self.run(cell, seed)
        # Figures and a page take longer than many a training: rezsl report makes them for the runs that are looked at.
        arguments = ["fit", "--config", str(config), "--seed", str(seed), "--run-dir", str(run), "--report", "false"]
        if (run / "settings.json").exists():
            arguments.append("--resume")
        log = self.path / "logs" / cell.name / f"seed-{seed}.log"
        return Job(f"{cell.name} seed {seed}", tuple(arguments), run / "metrics.json", log)

    def write_configs(self, plan: Plan) -> None:
        """Write every cell's options and search space; JSON is YAML."""
        for cell in plan.cells:
            self.config(cell).parent.mkdir(parents=True, exist_ok=True)
            self.best(cell).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self.config(cell), json.dumps(cell.options, indent=2) + "\n")
            space = {name: entry.to_json() for name, entry in cell.space.items()}
            write_atomically(self.space(cell), json.dumps(space, indent=2) + "\n")
