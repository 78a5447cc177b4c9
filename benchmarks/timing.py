"""Fair timing of two ways to do one thing on a machine that does other things too."""

import time
from collections.abc import Callable
from dataclasses import dataclass


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
