"""The quality of the recognition behind the accuracies: probabilities, hubs and near misses.

Each metric exists twice: ``generalized`` with all classes as candidates, and ``conventional`` with the unseen ones.
"""

import math
from collections.abc import Callable
from typing import Any

from rezsl.metrics._table import define_metric, define_percentage


def _read_from(recognition: str, read: Callable[[Any], float]) -> Callable[[Any], float]:
    """Make a function that reads from one recognition of an analysis; NaN where the analysis has none."""

    def read_or_nan(analysis: Any) -> float:
        found = getattr(analysis, recognition)
        return math.nan if found is None else read(found)

    return read_or_nan


for _name, _candidates in (("generalized", "all classes"), ("conventional", "the unseen classes")):
    define_percentage(
        f"ece_{_name}", "ECE", f"Expected calibration error of the probabilities among {_candidates}.",
        _read_from(_name, lambda recognition: recognition.reliability.ece),
        source="analysis", better="down", shown_in=("page",) if _name == "generalized" else (),
    )  # fmt: skip
    define_metric(
        f"hub_skewness_{_name}", "hubs", f"Skewness of how often each of {_candidates} is among an image's nearest.",
        _read_from(_name, lambda recognition: recognition.hubness.skewness), source="analysis", better="down",
    )  # fmt: skip
    define_percentage(
        f"nearest_share_{_name}", "nearest", "Share of the mistakes that choose the true class's nearest neighbour "
        f"among {_candidates}.",
        _read_from(_name, lambda recognition: recognition.mistakes.nearest_share), source="analysis",
    )  # fmt: skip
