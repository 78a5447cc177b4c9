"""The settings of an analysis."""

from dataclasses import dataclass
from typing import get_args

from rezsl.errors import ArgumentError
from rezsl.functional.binning import Binning


@dataclass(frozen=True)
class AnalysisOptions:
    """Settings of an analysis, which its result keeps.

    Attributes:
        resamples: number of bootstrap draws of each interval; at least 1.
        level: coverage of the intervals, between 0 and 1.
        seed: of the bootstrap's random numbers.
        value_bins: number of bins of the attribute value; at least 1.
        value_binning: ``equal_width``, or ``equal_count`` with as many cells in each bin.
        confidence_bins: number of bins of the reliability diagram; at least 1.
        confidence_binning: the same two ways; ``equal_count`` is also called adaptive.
        neighbours: number of nearest classes that hubness counts; at least 1.
        worst: number of the worst attributes (classes) over which ``error_worst`` averages; at least 1.

    Raises:
        ArgumentError: a setting is outside its range; the message names it.
    """

    resamples: int = 1000
    level: float = 0.95
    seed: int = 0
    value_bins: int = 10
    value_binning: Binning = "equal_width"
    confidence_bins: int = 15
    confidence_binning: Binning = "equal_width"
    neighbours: int = 5
    worst: int = 10

    def __post_init__(self) -> None:
        for name in ("resamples", "value_bins", "confidence_bins", "neighbours", "worst"):
            if getattr(self, name) < 1:
                raise ArgumentError(f"{name}: expected at least 1, got {getattr(self, name)}")
        if not 0 < self.level < 1:
            raise ArgumentError(f"level: expected a number between 0 and 1, got {self.level}")
        for name in ("value_binning", "confidence_binning"):
            if getattr(self, name) not in get_args(Binning):
                expected, got = ", ".join(get_args(Binning)), getattr(self, name)
                raise ArgumentError(f"{name}: expected one of {expected}, got {got!r}")
