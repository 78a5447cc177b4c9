"""The processes of a training: how many there are, who starts them, and that none outlives the first."""

import atexit
import logging
import multiprocessing
import os
import sys
import threading
import time
from functools import cache
from typing import Any, NamedTuple

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision

from rezsl.errors import ArgumentError
from rezsl.launchers import started_processes, variable
from rezsl.training.settings import Training

PARENT = "REZSL_FIRST_PROCESS"
"""The variable by which a process that a training has started finds the number of the process that started it."""

PAUSE = 0.5
"""Seconds that a process of several on CPUs waits before Python ends."""


class World(NamedTuple):
    """The processes of a training.

    Attributes:
        devices: processes on each machine, one per device.
        nodes: machines.
        running: whether something else, such as ``torchrun``, has started all of them already.
    """

    devices: int
    nodes: int
    running: bool


def launched(training: Training) -> Fabric:
    """Return the Fabric of a training, after starting its other processes where they do not run yet.

    Processes that ``torchrun`` or ``srun`` has started are all used. Otherwise ``training.devices`` decides: the other
    processes run the same command, or the same script, from its beginning.

    Raises:
        ArgumentError: the processes or devices are not what this machine, the launcher or the session allows.
    """
    world = _world(training)
    several = world.devices * world.nodes > 1
    if several and not world.running:
        _check_can_launch(training, world.devices)
        os.environ[PARENT] = str(os.getpid())
    quiet = logging.root.manager.disable
    logging.disable(max(quiet, logging.INFO))  # every process would announce itself
    try:
        fabric = Fabric(
            accelerator=training.accelerator,
            strategy=training.strategy if several else "auto",
            devices=world.devices,
            num_nodes=world.nodes,
            **_arithmetic(training),
        )
        fabric.launch()
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ArgumentError(
            f"devices, nodes: expected what this machine and its launcher have, got {world.devices} on each of "
            f"{world.nodes} ({reason}); correct them"
        ) from error
    finally:
        logging.disable(quiet)
        if not world.running:
            os.environ.pop(PARENT, None)
    if training.sync_batchnorm and fabric.device.type != "cuda":
        raise ArgumentError("sync_batchnorm: expected false except on GPUs, got true; set it to false")
    _end_with_the_first()
    if fabric.world_size > 1 and fabric.device.type == "cpu":
        _pause_at_the_end()
    return fabric


@cache
def _pause_at_the_end() -> None:
    """Let this process pause before Python ends.

    A thread of PyTorch 2.13 frees the tensors of the last exchange between CPUs a little after it. If Python has begun
    to end by then, the process aborts, although all its work is done.
    """
    atexit.register(time.sleep, PAUSE)


def _arithmetic(training: Training) -> dict[str, Any]:
    """Return the arguments of Fabric that choose the precision.

    Fabric would replace float16 on CPUs by bfloat16, though PyTorch has float16 with a scaled loss there too.
    """
    cuda_or_mps = torch.cuda.is_available() or torch.backends.mps.is_available()
    on_cpu = training.accelerator == "cpu" or (training.accelerator == "auto" and not cuda_or_mps)
    if training.precision == "16-mixed" and on_cpu:
        return {"plugins": [MixedPrecision("16-mixed", "cpu")]}
    return {"precision": training.precision}


def is_first_process() -> bool:
    """Return whether this process is the one that writes and prints, also before :func:`launched`."""
    started = started_processes()
    return started is None or started.number == 0


def _world(training: Training) -> World:
    """Return the processes that run already, or those that the settings ask for."""
    started = started_processes()
    if started is None:
        on_gpu = training.accelerator in ("auto", "gpu")
        devices = max(1, torch.cuda.device_count() * on_gpu) if training.devices == "auto" else training.devices
        return World(devices, training.nodes, False)
    here = started.here
    if "LOCAL_WORLD_SIZE" not in os.environ and "LOCAL_RANK" in os.environ:  # processes of Fabric
        here = max(1, started.total // training.nodes)
    return _agreeing(training, World(here, max(1, started.total // here), True))


def _agreeing(training: Training, world: World) -> World:
    """Check that a number of devices that is given is that of the processes that run."""
    if training.devices not in (1, "auto", world.devices):
        raise ArgumentError(
            f"devices: expected {world.devices}, because so many processes were started on each machine, got "
            f"{training.devices}; leave the option out"
        )
    return world


def _check_can_launch(training: Training, devices: int) -> None:
    """Check that other processes can run the command or the script of this one, and that there are enough GPUs."""
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    if script is None or not os.path.exists(script):
        raise ArgumentError(
            f"devices: expected 1 in a session without a script, whose code other processes cannot run, got {devices}; "
            f"write the training into a file"
        )
    if multiprocessing.parent_process() is not None or "joblib.externals" in str(script):
        raise ArgumentError(
            f"devices: expected 1 in one of several processes that train models of their own, got {devices}; set it to "
            f"1"
        )
    on_gpu = training.accelerator == "gpu" or (training.accelerator == "auto" and torch.cuda.is_available())
    found = torch.cuda.device_count()
    if on_gpu and devices > found:
        raise ArgumentError(
            f"devices: expected at most {found}, the GPUs of this machine, got {devices}; give a smaller number"
        )


def _end_with_the_first() -> None:
    """End this process soon after the one that started it, for which it might wait in an exchange for ever."""
    parent = variable(PARENT)
    if parent in (0, os.getpid()) or os.getppid() != parent or any(t.name == PARENT for t in threading.enumerate()):
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        time.sleep(2)  # for a message of its own, if the lost connection has raised one
        os._exit(1)

    threading.Thread(target=watch, name=PARENT, daemon=True).start()
