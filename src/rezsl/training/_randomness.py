"""Random numbers of a training, apart from those of its caller."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def own_randomness() -> Iterator[None]:
    """Restore the caller's random number generators afterwards, whatever is seeded and drawn inside."""
    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    with torch.random.fork_rng(devices):
        yield


def seed_step(seed: int, step: int, device: torch.device) -> None:
    """Give a step random numbers of its own, whatever drew some before it, so that a resumed run repeats them.

    The generators are seeded one by one: ``torch.manual_seed`` also queues work for devices that are not in use.
    """
    number = (seed * 1_000_000_007 + step) % 2**63
    torch.default_generator.manual_seed(number)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(number)
    elif device.type == "mps":
        torch.mps.manual_seed(number)
