"""From analyses of several models to an :class:`AnalysisComparison`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.evaluation.analysis import Analysis
from rezsl.evaluation.comparison import AnalysisComparison, PairedBy, PairedDifference
from rezsl.evaluation.options import AnalysisOptions
from rezsl.evaluation.pairing import QUANTITIES, Named, check_same_names, paired
from rezsl.functional.statistics import bootstrap_weights, percentile_interval


def compare_analyses(analyses: Mapping[str, Analysis], options: AnalysisOptions | None = None) -> AnalysisComparison:
    """Compare two or more models on the same test samples, semantic by semantic and class by class.

    Args:
        analyses: of each model, by its name.
        options: bootstrap draws, seed and level of the intervals.

    Raises:
        ArgumentError: there are fewer than two, or they were analysed on different classes or semantics.
    """
    options = AnalysisOptions() if options is None else options
    check_same_names(analyses)
    differences: list[PairedDifference] = []
    for quantity, (paired_by, figures) in QUANTITIES.items():
        of_models = {name: figures(analysis) for name, analysis in analyses.items()}
        compared = [
            _compare(quantity, paired_by, {name: of_models[name] for name in pair}, options)
            for pair in combinations(of_models, 2)
        ]
        corrected = holm([difference.p_value for difference in compared])
        differences += [replace(one, p_value_holm=p) for one, p in zip(compared, corrected, strict=True)]
    figures_by_model = {name: analysis.metrics() for name, analysis in analyses.items()}
    return AnalysisComparison(tuple(analyses), figures_by_model, tuple(differences))


def _compare(
    quantity: str, paired_by: PairedBy, pair: Mapping[str, Named], options: AnalysisOptions
) -> PairedDifference:
    first, second = pair
    names, difference = paired(pair[first], pair[second])
    low, high = _interval_of_mean(difference, options)
    p_value = _wilcoxon(difference)
    return PairedDifference(
        quantity=quantity,
        paired_by=paired_by,
        first=first,
        second=second,
        names=names,
        difference=difference,
        mean=float(difference.mean()),
        low=low,
        high=high,
        p_value=p_value,
        p_value_holm=p_value,
        lower_share=float(((difference < 0).double() + (difference == 0).double() / 2).mean()),
    )


def _interval_of_mean(difference: Float[Tensor, "n"], options: AnalysisOptions) -> tuple[float, float]:
    if not len(difference):
        return torch.nan, torch.nan
    weights = bootstrap_weights(len(difference), options.resamples, options.seed)
    low, high = percentile_interval((weights @ difference / len(difference)).unsqueeze(1), options.level)
    return float(low), float(high)


def _wilcoxon(difference: Float[Tensor, "n"]) -> float:
    from scipy.stats import wilcoxon  # noqa: PLC0415 - a second of import that other analyses do without

    if not len(difference):
        return torch.nan
    difference = difference[difference != 0]  # as Wilcoxon did; they speak for neither side
    return float(wilcoxon(difference.numpy()).pvalue) if len(difference) else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number (Holm, 1979); NaN stays NaN and does not count.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    known = sorted((p, position) for position, p in enumerate(p_values) if not math.isnan(p))
    corrected, highest = list(p_values), 0.0
    for rank, (p, position) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * p))
        corrected[position] = highest
    return corrected
