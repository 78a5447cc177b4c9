"""The device of PyTorch on which a command or an extraction computes."""

import torch

from rezsl.errors import ArgumentError
from rezsl.files import one_line
from rezsl.launchers import started_processes


def computing_device(name: str | torch.device = "auto") -> torch.device:
    """Return a device of this machine, by its name or as it is.

    Args:
        name: as PyTorch names devices, such as ``cpu``, ``cuda``, ``cuda:1`` or ``mps``. ``auto`` takes a GPU of CUDA
            if there is one, and otherwise the CPU; each of several processes that ``torchrun`` or ``srun`` has started
            takes a GPU of its own.

    Raises:
        ArgumentError: this machine has no such device.
    """
    try:
        device = torch.device(_own() if name == "auto" else name)
        torch.zeros(1, device=device).item()  # the device meta of PyTorch has no numbers
    except (RuntimeError, AssertionError, ImportError) as error:  # of PyTorch without the parts for a device
        raise ArgumentError(
            f"device: expected a device of this machine, got '{name}' ({one_line(error)}); use auto or cpu"
        ) from error
    return device


def _own() -> str:
    """Return the GPU of this process, or ``cpu`` where there is none."""
    started = started_processes()
    if not torch.cuda.is_available():
        return "cpu"
    return f"cuda:{started.number % started.here % torch.cuda.device_count()}" if started else "cuda"
