"""The settings of an analysis."""

from dataclasses import dataclass

from rezsl.errors import check_at_least, check_between_0_and_1, check_choice
from rezsl.functional.binning import Binning


@dataclass(frozen=True)
class AnalysisOptions:
    """Settings of an analysis, which its result keeps; an ArgumentError names a setting that is outside its range.

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
        check_at_least(
            1, resamples=self.resamples, value_bins=self.value_bins, confidence_bins=self.confidence_bins,
            neighbours=self.neighbours, worst=self.worst,
        )  # fmt: skip
        check_between_0_and_1(level=self.level)
        check_choice(Binning, value_binning=self.value_binning, confidence_binning=self.confidence_binning)
