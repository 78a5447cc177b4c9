"""Random numbers of a run, apart from those of its caller."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def own_randomness() -> Iterator[None]:
    """Leave the caller's random number generators as they were, whatever is seeded and drawn inside."""
    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    with torch.random.fork_rng(devices):
        yield
