"""Fair timing of two ways to do one thing on a machine that does other things too."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Comparison:
    """What was measured.

    Attributes:
        what: a row's name.
        literal_seconds: the literal form, one call.
        seconds: ours, one call.
        difference: how far the results are apart.
    """

    what: str
    literal_seconds: float
    seconds: float
    difference: str


def side_by_side(literal: Callable[[], object], ours: Callable[[], object], rounds: int = 7) -> tuple[float, float]:
    """Shortest time of each over several rounds that take turns: whatever slows the machine slows both."""
    literal(), ours()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for call, kept in zip((literal, ours), times, strict=True):
            started = time.perf_counter()
            call()
            kept.append(time.perf_counter() - started)
    return min(times[0]), min(times[1])


def processor_medians(*calls: Callable[[], object], rounds: int = 9) -> list[float]:
    """Seconds of the processor that each call takes, the median of rounds in which all take turns."""
    times: list[list[float]] = [[] for _ in calls]
    for counted in (False, *(True,) * rounds):
        for call, kept in zip(calls, times, strict=True):
            started = time.process_time()
            call()
            if counted:
                kept.append(time.process_time() - started)
    return [statistics.median(kept) for kept in times]


@contextmanager
def one_thread() -> Iterator[None]:
    """Let PyTorch compute with one thread, whose clock other programs hardly disturb."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
