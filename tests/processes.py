"""Several real processes with a group of ``torch.distributed``, and what each of them has found."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import distributed
from torch.multiprocessing.spawn import spawn


def leave() -> None:
    """End a process that has trained with ``DistributedDataParallel``, without the steps by which Python ends.

    An exchange that a backward pass begins on CPUs holds a Python object, and a thread of the process group releases it.
    If Python has begun to end by then, PyTorch 2.13 aborts the process. The thread is still there, because the group
    outlives ``destroy_process_group``. The exchanges of rezsl begin outside of backward passes and hold no such object.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def found_by(work: Callable[[int, Path], Any], folder: Path, count: int) -> list[Any]:
    """Return what ``work(rank, folder)`` returns in each of ``count`` processes that share a group."""
    spawn(_work, (work, folder, count), nprocs=count)
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(count)]


def _work(rank: int, work: Callable[[int, Path], Any], folder: Path, count: int) -> None:
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
    distributed.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=count)
    torch.save(work(rank, folder), folder / f"{rank}.pt")
    distributed.destroy_process_group()
    leave()  # where an error has ended the work, spawn passes it on
