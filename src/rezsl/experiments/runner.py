"""Runs the jobs of a comparison, several at a time; one that fails does not end the others."""

import os
import signal
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from rezsl.experiments.jobs import Folder, Job
from rezsl.experiments.plan import Cell, Plan

SECONDS_TO_END = 30.0
"""What a child that was interrupted has for saving its model."""


class Runner(ABC):
    """Runs one job; several threads may call it at the same time."""

    @abstractmethod
    def __call__(self, job: Job) -> str | None:
        """Run a job to its end; None if that went well, otherwise the reason in one line."""

    @abstractmethod
    def stop(self) -> None:
        """End what is running, and run nothing more."""


class Subprocesses(Runner):
    """Runs each job as a process of its own.

    Args:
        processes: how many there will be at a time; they share the cores.
    """

    def __init__(self, processes: int) -> None:
        threads = max(1, (os.cpu_count() or 1) // processes)
        self.environment: Mapping[str, str] = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        self.running: set[subprocess.Popen[bytes]] = set()
        self.lock, self.stopped = threading.Lock(), False

    def __call__(self, job: Job) -> str | None:
        """Run a job to its end; see :class:`Runner`."""
        job.log.parent.mkdir(parents=True, exist_ok=True)
        with job.log.open("wb") as log:
            with self.lock:
                if self.stopped:
                    return "interrupted"
                # A session of its own: Ctrl-C reaches this process alone, which then interrupts each child once.
                process = subprocess.Popen(
                    [sys.executable, "-m", "rezsl", *job.arguments], stdin=subprocess.DEVNULL, stdout=log,
                    stderr=subprocess.STDOUT, env=self.environment, start_new_session=True,
                )  # fmt: skip
                self.running.add(process)
            code = process.wait()
        with self.lock:
            self.running.discard(process)
        return None if code == 0 else _reason(job, code)

    def stop(self) -> None:
        """Interrupt the children, as Ctrl-C would; kill those that do not end in time."""
        with self.lock:
            self.stopped = True
            children = list(self.running)
        for child in children:
            child.send_signal(signal.SIGINT)
        for child in children:
            try:
                child.wait(SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                child.kill()


def _reason(job: Job, code: int) -> str:
    """Why a job failed, from the end of its log."""
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    lines = [
        line.strip() for line in job.log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()
    ]
    said = [line.removeprefix("rezsl: error: ") for line in lines if line.startswith("rezsl: error: ")]
    return said[-1] if said else lines[-1] if lines else f"exit code {code}"


def run_plan(
    plan: Plan,
    folder: Folder,
    runner: Runner,
    processes: int,
    report: Callable[[Job, str | None], None] = lambda job, reason: None,
) -> dict[str, str]:
    """Run what is not finished: a cell's search, and after it the cell's seeds.

    Args:
        plan: what is to be run.
        folder: where.
        runner: runs a job.
        processes: jobs at a time.
        report: told each job that has ended, and why it failed.

    Returns:
        The reason of each failed job, by ``Job.name``; seeds of a cell whose search failed fail with it.

    Raises:
        KeyboardInterrupt: Ctrl-C; what was running has ended, and can be gone on with.
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
            runner.stop()
            raise
    return failures
