"""What an analysis can be asked to do differently."""

from dataclasses import dataclass
from typing import get_args

from rezsl.errors import ArgumentError
from rezsl.functional.binning import Binning


@dataclass(frozen=True)
class AnalysisOptions:
    """Settings of an analysis, kept with its result.

    Attributes:
        resamples: bootstrap draws behind each interval; at least 1.
        level: coverage of the intervals, between 0 and 1.
        seed: of the bootstrap.
        value_bins: bins of the semantic value; at least 1.
        value_binning: how they are cut.
        confidence_bins: bins of the reliability diagram; at least 1.
        confidence_binning: how they are cut; ``equal_count`` is also called adaptive.
        neighbours: k of the hubness; at least 1.
        worst: how many of the worst semantics (classes) the ``worst`` figures average; at least 1.

    Raises:
        ArgumentError: a setting is impossible; it names it.
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
