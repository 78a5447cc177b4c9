"""Runs the jobs of a comparison, several at a time; one that fails does not end the others."""

import json
import os
import signal
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress

from rezsl.experiments.jobs import Folder, Job
from rezsl.experiments.plan import Cell, Plan

Worker = subprocess.Popen[str]

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


class Workers(Runner):
    """Runs jobs in processes that each take one after the other: PyTorch is imported once per process, not per job.

    A process that dies takes one job with it; the next job gets a new one.

    Args:
        processes: how many there will be at a time; they share the cores.
        kept_open: descriptors that the processes inherit, such as that of a lock.
    """

    def __init__(self, processes: int, kept_open: Sequence[int] = ()) -> None:
        threads = max(1, (os.cpu_count() or 1) // processes)
        self.environment: Mapping[str, str] = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        self.kept_open = tuple(kept_open)
        self.idle: list[Worker] = []
        self.all: list[Worker] = []
        self.lock, self.stopped = threading.Lock(), False

    def __call__(self, job: Job) -> str | None:
        """Run a job to its end; see :class:`Runner`."""
        job.log.parent.mkdir(parents=True, exist_ok=True)
        with self.lock:
            if self.stopped:
                return "interrupted"
            worker = self._worker(job)
        request = json.dumps({"arguments": job.arguments, "log": str(job.log)})
        code = _answer(worker, request)
        if code is None:
            code = worker.wait()
        else:
            with self.lock:
                self.idle.append(worker)
        return None if code == 0 else _reason(job, code)

    def stop(self) -> None:
        """Interrupt the processes, as Ctrl-C would; kill those that do not end in time."""
        with self.lock:
            self.stopped = True
        for worker in self.all:
            assert worker.stdin is not None
            # They end with their input. What is left unsent to one that died has no reader.
            with suppress(OSError):
                worker.stdin.close()
        for worker in self.all:
            try:
                worker.wait(SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                worker.kill()
            assert worker.stdout is not None
            worker.stdout.close()

    def _worker(self, job: Job) -> Worker:
        """One that waits, or else a new one."""
        while self.idle:
            worker = self.idle.pop()
            if worker.poll() is None:
                return worker
        with job.log.open("wb") as log:
            # A session of its own: Ctrl-C reaches this process alone, which then interrupts each other one once.
            worker = subprocess.Popen(
                [sys.executable, "-m", "rezsl.cli.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                text=True, env=self.environment, start_new_session=True, pass_fds=self.kept_open,
            )  # fmt: skip
        self.all.append(worker)
        return worker


def _answer(worker: Worker, request: str) -> int | None:
    """The exit code that a worker answers with; None where it died instead."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    try:
        worker.stdin.write(f"{request}\n")
        worker.stdin.flush()
        answer = worker.stdout.readline()
    except (OSError, ValueError):
        return None
    return int(answer) if answer.endswith("\n") else None


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
            raise
        finally:
            runner.stop()
    return failures
