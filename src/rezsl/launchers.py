"""The variables by which ``torchrun``, ``srun`` and Fabric number the processes that they start.

``torchrun`` sets RANK and WORLD_SIZE, and on each machine LOCAL_RANK and LOCAL_WORLD_SIZE; Fabric sets NODE_RANK,
LOCAL_RANK and WORLD_SIZE; ``srun`` sets SLURM_PROCID and SLURM_STEP_NUM_TASKS.
"""

import os
from typing import NamedTuple

from rezsl.errors import ArgumentError


class StartedProcesses(NamedTuple):
    """The processes that a launcher has started.

    Attributes:
        total: their number.
        here: the number of those on this machine.
        number: that of this process, counted from 0.
    """

    total: int
    here: int
    number: int


def started_processes() -> StartedProcesses | None:
    """Return the processes that a launcher has started; None if this one is alone.

    Raises:
        ArgumentError: there are several, and this one has no number on its machine, which decides its device.
    """
    total = variable("WORLD_SIZE", 1)
    if total > 1 and "LOCAL_RANK" in os.environ:
        local = variable("LOCAL_RANK")
        here = variable("LOCAL_WORLD_SIZE") or total
        return StartedProcesses(total, here, variable("RANK", variable("NODE_RANK") * here + local))
    if total > 1 and "RANK" in os.environ:
        raise ArgumentError(
            f"LOCAL_RANK: expected the number of this process on its machine, because WORLD_SIZE is {total}, got none; "
            f"start the processes with torchrun"
        )
    tasks = variable("SLURM_STEP_NUM_TASKS", 1)
    if tasks > 1:
        return StartedProcesses(tasks, tasks // variable("SLURM_STEP_NUM_NODES", 1), variable("SLURM_PROCID"))
    return None


def check_one_process(command: str) -> None:
    """Raise an ArgumentError where ``torchrun`` has started several processes, which would all do the same work."""
    total = variable("WORLD_SIZE", 1)
    if "RANK" in os.environ and total > 1:
        raise ArgumentError(
            f"WORLD_SIZE: expected 1 with rezsl {command}, which works in one process, got {total} (RANK "
            f"{os.environ['RANK']}); start it without torchrun, or with --nproc-per-node 1; several processes train "
            f"one model with rezsl fit, and share an extraction with rezsl extract; several runs at once are those of "
            f"rezsl compare --processes N"
        )


def variable(name: str, otherwise: int = 0) -> int:
    """Return the whole number that a variable of the environment holds, or another one where it holds none."""
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() else otherwise
