"""Several real processes, whose imports a server has made once, and what each of them has found."""

import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import distributed
from torch.multiprocessing.spawn import start_processes

METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
SERVED: Any = multiprocessing.get_context(METHOD)
"""Begins processes as forks of a fresh one that has the imports already, which take seconds; not so on Windows."""
if METHOD == "forkserver":
    SERVED.set_forkserver_preload(["rezsl.cli.fit", "rezsl.cli.main", "rezsl.experiments.search", "rezsl.metrics"])


def begin(work: Callable[..., Any], *arguments: Any) -> multiprocessing.process.BaseProcess:
    """Begin a process that calls ``work(*arguments)``; its exit code is 1 after an error."""
    process: multiprocessing.process.BaseProcess = SERVED.Process(target=work, args=arguments)
    process.start()
    return process


def found_at_once(work: Callable[..., Any], *arguments: Any, count: int = 3) -> list[Any]:
    """Return what ``work(*arguments)`` returns in each of several processes, in which it begins at the same moment."""
    barrier, results = SERVED.Barrier(count), SERVED.SimpleQueue()
    processes = [begin(_put, work, arguments, barrier, results) for _ in range(count)]
    found = [results.get() for _ in processes]
    for process in processes:
        process.join()
    return found


def _put(work: Callable[..., Any], arguments: Sequence[Any], barrier: Any, results: Any) -> None:
    barrier.wait()
    try:
        results.put(work(*arguments))
    except Exception as error:  # noqa: BLE001 - the test shows it
        results.put(f"{type(error).__name__}: {error}")


def leave() -> None:
    """End a process that has trained with ``DistributedDataParallel``, without the steps by which Python ends.

    An exchange that a backward pass begins on CPUs holds a Python object, and a thread of the process group releases it.
    If Python has begun to end by then, PyTorch 2.13 aborts the process. The thread is still there, because the group
    outlives ``destroy_process_group``. A training of rezsl pauses at its end instead.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def found_by(work: Callable[[int, Path], Any], folder: Path, count: int) -> list[Any]:
    """Return what ``work(rank, folder)`` returns in each of ``count`` processes that share a group."""
    start_processes(_work, (work, folder, count), nprocs=count, start_method=METHOD)
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(count)]


def _work(rank: int, work: Callable[[int, Path], Any], folder: Path, count: int) -> None:
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
    distributed.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=count)
    torch.save(work(rank, folder), folder / f"{rank}.pt")
    distributed.destroy_process_group()
    leave()  # where an error has ended the work, start_processes passes it on
