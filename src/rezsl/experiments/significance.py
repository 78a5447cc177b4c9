"""Tests of the difference between two methods, over the seeds that both have."""

import math
from collections.abc import Sequence
from typing import Literal

PairedTest = Literal["t", "wilcoxon"]

LEAST_PAIRS = 3
"""With fewer pairs their spread cannot be estimated."""


def p_value(ours: Sequence[float], theirs: Sequence[float], test: PairedTest = "t") -> float:
    """Return the two-sided p of the paired differences, not corrected for the number of comparisons.

    The paired t-test assumes normal differences. Wilcoxon's signed-rank test does not, but with n seeds its p is at
    least 2^(1−n), which is 0.0625 for five.

    Args:
        ours: a metric for each seed.
        theirs: the metric of the other method for the same seeds.
        test: ``t`` for the paired t-test, ``wilcoxon`` for Wilcoxon's test.

    Returns:
        p; NaN below three pairs, or if all pairs differ by the same amount; 1 if none differs.
    """
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    if len(differences) < LEAST_PAIRS:
        return math.nan
    if not any(differences):
        return 1.0
    # The differences of deterministic methods vary only by rounding, which is not a spread.
    largest = max(map(abs, differences))
    if max(differences) - min(differences) <= 1e-9 * largest:
        return math.nan
    from scipy.stats import ttest_1samp, wilcoxon  # noqa: PLC0415 - the import takes half a second, and only tables use it

    if test == "t":
        return float(ttest_1samp(differences, 0.0).pvalue)
    return float(
        wilcoxon(differences, method="exact" if len(set(map(abs, differences))) == len(differences) else "auto").pvalue
    )
