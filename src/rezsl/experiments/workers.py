"""Processes that run one call after the other, on joblib's loky."""

import gc
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

from joblib.externals.loky import process_executor

from rezsl.interruption import INTERRUPTED
from rezsl.writing import naming_full_disk

Result = TypeVar("Result")
Executor = Any

SECONDS_TO_END = 30.0
"""The time that an interrupted call has for saving its work before its process is killed."""


class WorkerError(Exception):
    """The process of a call has ended before the call did; the text is the reason."""


class Workers:
    """Processes that each run one call at a time, so that PyTorch is imported once per process and not once per call.

    Each process has an executor of its own, because loky ends all processes of an executor with the first one that
    dies: here, a process that dies takes one call with it, and the next call starts another one. Ctrl-C reaches this
    process alone, which interrupts the others in :meth:`close`. They also end when this process does, however it ends.

    Args:
        processes: the number of processes that share the cores, and so of calls that may run at a time. Where the
            environment has ``OMP_NUM_THREADS``, each has that number of threads instead of its share of the cores.
        kept_open: file descriptors that the processes keep open until they end, such as the one of a lock.
    """

    def __init__(self, processes: int, kept_open: Sequence[int] = ()) -> None:
        self.processes = processes
        share = max(1, (os.cpu_count() or 1) // processes)
        self._environment = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS") or str(share)}
        # The processes wait for the end of this pipe, which is closed when this process ends, whatever ended it.
        read_end, self._alive = Pipe(duplex=False)
        # loky hands descriptors to its processes as connections.
        self._inherited = (read_end, *(Connection(os.dup(descriptor)) for descriptor in kept_open))
        self._idle: list[Executor] = []
        self._running: dict[Future[Any], Executor] = {}

    def submit(self, call: Callable[..., Result], *arguments: Any) -> Future[Result]:
        """Begin a call in a process that is idle, or else in a new one."""
        executor = self._executor()
        future: Future[Result] = executor.submit(_run, call, *arguments)
        self._running[future] = executor
        return future

    def result(self, future: Future[Result]) -> Result:
        """Return what a call returned, after which its process is idle; a process that has ended is a WorkerError."""
        executor, error = self._running.pop(future), future.exception()
        if isinstance(error, process_executor.BrokenProcessPool):
            signals = re.findall(r"SIG\w+", str(error))
            raise WorkerError(f"ended by {signals[0]}" if signals else "its process has ended") from error
        self._idle.append(executor)
        return future.result()

    def interrupt(self) -> None:
        """Interrupt the calls as Ctrl-C would, without waiting for their end."""
        self._alive.close()

    def close(self) -> None:
        """Interrupt the calls, wait for their end, and end the processes."""
        self.interrupt()
        still_running = wait(self._running, SECONDS_TO_END).not_done
        for executor in (*self._idle, *self._running.values()):
            executor.shutdown(wait=True, kill_workers=bool(still_running))
        for connection in self._inherited:
            connection.close()

    def _executor(self) -> Executor:
        while self._idle:
            executor = self._idle.pop()
            # A process that ended while it was idle must not take the next call with it.
            with suppress(process_executor.BrokenProcessPool):
                executor.submit(os.getpid).result()
                return executor
        return process_executor.ProcessPoolExecutor(
            max_workers=1, initializer=_prepare, initargs=self._inherited, env=self._environment
        )


_busy = threading.Lock()
"""In a worker process: locked while a call is running."""

_inherited: list[Connection] = []
"""In a worker process: connections that are closed when they are garbage, and must stay open."""


def _prepare(*inherited: Connection) -> None:
    """Make a worker process independent of the terminal, and let it end with its parent."""
    # In its own session, the process does not receive the Ctrl-C of the terminal.
    os.setsid()
    # A shell that starts rezsl compare in the background sets SIGINT to be ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    _inherited.extend(inherited)
    threading.Thread(target=_end_with_parent, args=inherited[:1], daemon=True).start()


def _end_with_parent(alive: Connection) -> None:
    """Wait for the end of the pipe; then interrupt the running call, and end the process once the call has ended."""
    with suppress(EOFError, OSError):
        alive.recv_bytes()
    if not _busy.acquire(blocking=False):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        _busy.acquire()
    os._exit(INTERRUPTED)


def _run(call: Callable[..., Result], *arguments: Any) -> Result:
    with _busy:
        return call(*arguments)


def run_logged(command: Callable[[Sequence[str]], int], arguments: Sequence[str], log: Path) -> int:
    """Run a command line in a worker process, with all output of the process in a file, and return the exit code."""
    with log.open("wb") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    try:
        return command(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    except Exception:  # noqa: BLE001 - whatever the error is, it ends one run and not those that wait
        traceback.print_exc()
        return 1
    finally:
        with naming_full_disk(log):
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
        # Models and optimizers refer to each other in circles, and their memory is for the next run.
        gc.collect()
