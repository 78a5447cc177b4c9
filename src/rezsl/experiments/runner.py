"""Runs the jobs of a comparison, several at a time; a job that fails does not end the others."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Protocol, runtime_checkable

from rezsl.experiments.jobs import Folder, Job
from rezsl.experiments.plan import Cell, Plan
from rezsl.experiments.workers import WorkerError, Workers, run_logged


@runtime_checkable
class Runner(Protocol):
    """Runs one job; several threads may call it at the same time."""

    def __call__(self, job: Job) -> str | None:
        """Run a job to its end; return None if it succeeded, and otherwise the reason in one line."""

    def stop(self) -> None:
        """End the jobs that are running, and run no more."""


class JobRunner:
    """Runs jobs in worker processes, with the output of each job in its log file; see :class:`Workers`.

    Args:
        command: runs a command line in a worker process, and returns its exit code.
        processes: how many there are.
        kept_open: file descriptors that the processes keep open until they end.
    """

    def __init__(self, command: Callable[[Sequence[str]], int], processes: int, kept_open: Sequence[int] = ()) -> None:
        self.command, self.workers = command, Workers(processes, kept_open)

    def __call__(self, job: Job) -> str | None:
        """Run a job to its end; see :class:`Runner`."""
        job.log.parent.mkdir(parents=True, exist_ok=True)
        try:
            code = self.workers.run(run_logged, self.command, job.arguments, str(job.log))
        except WorkerError as error:
            return str(error)
        return None if code == 0 else _reason(job, code)

    def stop(self) -> None:
        """Interrupt the jobs that are running; they save their work, and can be resumed."""
        self.workers.stop()


def _reason(job: Job, code: int) -> str:
    """Return why a job failed, from the end of its log."""
    lines = [
        line.strip() for line in job.log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()
    ]
    errors = [line.removeprefix("rezsl: error: ") for line in lines if line.startswith("rezsl: error: ")]
    return errors[-1] if errors else lines[-1] if lines else f"exit code {code}"


def run_plan(
    plan: Plan,
    folder: Folder,
    runner: Runner,
    processes: int,
    report: Callable[[Job, str | None], None] = lambda job, reason: None,
) -> dict[str, str]:
    """Run the jobs that are not finished: a cell's search, and after it the cell's seeds.

    Args:
        plan: describes the jobs.
        folder: the directory of the comparison.
        runner: runs a job.
        processes: the number of jobs at a time.
        report: called with each job that has ended, and the reason if it failed.

    Returns:
        The reason of each failed job, by ``Job.name``; the seeds of a cell whose search failed fail with it.

    Raises:
        KeyboardInterrupt: Ctrl-C; the jobs that were running have ended, and can be resumed.
    """
    failures: dict[str, str] = {}
    after: dict[Future[str | None], tuple[Job, Cell | None]] = {}
    with ThreadPoolExecutor(processes) as pool:

        def submit(job: Job, cell: Cell | None) -> None:
            after[pool.submit(runner, job)] = (job, cell)

        def submit_seeds(cell: Cell) -> None:
            for job in (folder.run_job(cell, plan, seed) for seed in plan.seeds):
                if not job.is_finished:
                    submit(job, None)

        try:
            for cell in plan.cells:
                job = folder.search_job(cell, plan)
                if job is None or job.is_finished:
                    submit_seeds(cell)
                else:
                    submit(job, cell)
            while after:
                for done in wait(after, return_when=FIRST_COMPLETED).done:
                    job, then = after.pop(done)
                    reason = done.result()
                    report(job, reason)
                    if reason is not None:
                        failures[job.name] = reason
                    if then is not None and reason is None:
                        submit_seeds(then)
                    elif then is not None:
                        for seed in plan.seeds:
                            failures[folder.run_job(then, plan, seed).name] = f"its search failed: {reason}"
        except BaseException:
            for waiting in after:
                waiting.cancel()
            raise
        finally:
            runner.stop()
    return failures
