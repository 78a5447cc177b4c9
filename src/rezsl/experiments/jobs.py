"""The jobs of a comparison: the search of each cell, and after it the runs with each seed, several at a time."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path

from rezsl.errors import RunDirectoryError
from rezsl.experiments.clusters import Pool
from rezsl.experiments.plan import Cell, Plan
from rezsl.experiments.workers import SECONDS_TO_END, WorkerError, run_logged
from rezsl.files import write_json
from rezsl.locks import locked


@dataclass(frozen=True)
class Job:
    """One command of a comparison.

    Attributes:
        name: its name in messages.
        arguments: the command line after ``rezsl``.
        finished: a file that exists once the command has succeeded.
        log: the file of its output.
        then: the jobs that begin after it.
        directory: the directory that the command locks while it runs, and whose interrupted run it goes on with; None
            where it has none.
    """

    name: str
    arguments: tuple[str, ...]
    finished: Path
    log: Path
    then: tuple["Job", ...] = ()
    directory: Path | None = None

    @property
    def command_line(self) -> tuple[str, ...]:
        """The arguments as they are now: a run that has begun is resumed."""
        begun = self.directory is not None and (self.directory / "settings.json").exists()
        return (*self.arguments, "--resume") if begun else self.arguments

    @property
    def is_finished(self) -> bool:
        """Whether the command has succeeded already."""
        return self.finished.exists()

    def reason(self, code: int) -> str:
        """Return why the job ended with an exit code that is not 0, from the end of its log."""
        lines = [line.strip() for line in self.log.read_text(encoding="utf-8", errors="replace").splitlines()]
        errors = [line.removeprefix("rezsl: error: ") for line in lines if line.startswith("rezsl: error: ")]
        return [f"exit code {code}", *filter(None, lines), *errors][-1]


class Folder:
    """The directory ``path`` of a comparison, with the runs, searches and logs of its ``plan``."""

    def __init__(self, path: Path, plan: Plan) -> None:
        self.path, self.plan = path, plan

    def jobs(self) -> list[Job]:
        """Return the jobs that wait for no other one: the search of a cell, or the runs of a cell without one."""
        jobs: list[Job] = []
        for cell in self.plan.cells:
            runs = tuple(self.run_job(cell, seed) for seed in self.plan.seeds)
            jobs += [self._search_job(cell, runs)] if cell.space else runs
        return jobs

    def run_job(self, cell: Cell, seed: int) -> Job:
        """Return the command that trains and tests a cell with a seed, and resumes an interrupted run."""
        config = self._file("search" if cell.space else "configs", cell)
        run = self._file("runs", cell, f"/seed-{seed}")
        # Plots and pages take longer than many trainings, so they are left to rezsl report.
        arguments = ["fit", "--config", str(config), "--seed", str(seed), "--run-dir", str(run), "--report", "false"]
        arguments += self._cache(cell)
        log = self._file("logs", cell, f"/seed-{seed}.log")
        return Job(f"{cell.folder} seed {seed}", tuple(arguments), run / "metrics.json", log, directory=run)

    def _search_job(self, cell: Cell, runs: tuple[Job, ...]) -> Job:
        search, best = self.plan.search, self._file("search", cell)
        arguments = (
            "sweep", str(self._file("configs", cell)), "--space", str(self._file("configs", cell, ".space.yaml")),
            "--trials", str(search.trials), "--objective", search.objective, "--seed", str(self.plan.seeds[0]),
            "-o", str(best), *self._cache(cell),
        )  # fmt: skip
        return Job(f"{cell.folder} search", arguments, best, self._file("logs", cell, "/search.log"), runs)

    def _cache(self, cell: Cell) -> list[str]:
        """Return the option of one cache of regions for all runs, unless the plan names another one."""
        return [] if "cache" in cell.options else ["--cache", str(self.path / "regions")]

    def write_configs(self) -> None:
        """Write the options and the search space of every cell, as JSON, which is also YAML."""
        for cell in self.plan.cells:
            for kind in ("configs", "search"):
                self._file(kind, cell).parent.mkdir(parents=True, exist_ok=True)
            write_json(self._file("configs", cell), cell.options)
            write_json(self._file("configs", cell, ".space.yaml"), cell.space)

    def _file(self, kind: str, cell: Cell, ending: str = ".yaml") -> Path:
        return self.path / kind / f"{cell.folder}{ending}"


def run_job(command: Callable[[Sequence[str]], int], job: Job) -> int:
    """Run the command of a job in a worker process, unless it has succeeded already, and return its exit code.

    A cluster begins a job again if its worker has died, while the process of the first attempt may still save its
    work; so the second one waits until the directory of the run is free.
    """
    until = time.monotonic() + SECONDS_TO_END
    while job.directory is not None:
        try:
            with locked(job.directory, "run_dir"):
                return 0 if job.is_finished else run_logged(command, job.command_line, job.log)
        except RunDirectoryError:
            if time.monotonic() > until:
                break  # the command says why it cannot run
            time.sleep(0.2)
    return 0 if job.is_finished else run_logged(command, job.command_line, job.log)


def run_jobs(
    jobs: Sequence[Job],
    workers: Pool,
    command: Callable[[Sequence[str]], int],
    report: Callable[[Job, str | None], None] = lambda job, reason: None,
) -> dict[str, str]:
    """Run the jobs that are not finished, and those that follow them; a job that fails does not end the others.

    ``command`` runs a command line in one of the processes, and returns its exit code. The caller closes the processes,
    also after Ctrl-C, so that running jobs save their work. ``report`` is called with each job that has ended, and the
    reason if it failed. Return the reason of each failed job by name; jobs that follow a failed one fail with it.
    """
    failures: dict[str, str] = {}
    running: dict[Future[int], Job] = {}
    waiting = deque(jobs)
    while waiting or running:
        while waiting and len(running) < workers.processes:
            job = waiting.popleft()
            if job.is_finished:
                waiting.extendleft(reversed(job.then))
                continue
            job.log.parent.mkdir(parents=True, exist_ok=True)
            running[workers.submit(run_job, command, job)] = job
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            job = running.pop(future)
            try:
                code = workers.result(future)
                reason = job.reason(code) if code else None
            except WorkerError as error:
                reason = str(error)
            except OSError as error:  # the log could not be written
                reason = f"{error.filename or job.log}: {error.strerror}"
            report(job, reason)
            if reason is None:
                waiting.extend(job.then)
            else:
                failures[job.name] = reason
                failures |= {later.name: f"its search failed: {reason}" for later in job.then}
    return failures
