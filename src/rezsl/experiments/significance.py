"""Whether two methods differ, over seeds that both were run with."""

import math
from collections.abc import Sequence
from typing import Literal

PairedTest = Literal["t", "wilcoxon"]

LEAST_PAIRS = 3
"""Below that, two numbers say nothing of their spread."""


def p_value(ours: Sequence[float], theirs: Sequence[float], test: PairedTest = "t") -> float:
    """Two-sided p of the paired differences, not corrected for the number of comparisons.

    The paired t-test takes the differences for normal; Wilcoxon's signed-rank test does not, but with n seeds its p
    cannot fall below 2^(1−n): 0.0625 for five.

    Args:
        ours: one figure per seed.
        theirs: those of the other method with the same seeds.
        test: which one.

    Returns:
        NaN below three pairs, or where all pairs differ by the same amount; 1 where none differs.
    """
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    if len(differences) < LEAST_PAIRS:
        return math.nan
    if not any(differences):
        return 1.0
    # Deterministic methods differ by rounding only, which is no spread to judge a difference by.
    largest = max(map(abs, differences))
    if max(differences) - min(differences) <= 1e-9 * largest:
        return math.nan
    from scipy.stats import ttest_1samp, wilcoxon  # noqa: PLC0415 - half a second of import for tables only

    if test == "t":
        return float(ttest_1samp(differences, 0.0).pvalue)
    return float(
        wilcoxon(differences, method="exact" if len(set(map(abs, differences))) == len(differences) else "auto").pvalue
    )
