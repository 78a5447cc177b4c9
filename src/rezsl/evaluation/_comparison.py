"""Analyses of several models side by side, paired over classes and over attributes."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.errors import ArgumentError, name_some
from rezsl.evaluation._analysis import Analysis
from rezsl.evaluation._json_values import json_value
from rezsl.evaluation._options import AnalysisOptions
from rezsl.functional.statistics import bootstrap_weights, percentile_interval

PairedBy = Literal["attributes", "classes"]
Named = dict[str, float]


@dataclass(frozen=True, eq=False)
class PairedDifference:
    """One quantity of two models, compared semantic by semantic or class by class.

    The interval and the test speak of other semantics (classes) of the same kind, with these very weights; how much
    another training seed would change is not in them.

    Attributes:
        quantity: what is compared: ``attribute_error``, ``class_error``, ``class_accuracy``, ``unseen_class_accuracy``
            (among unseen classes only), ``correlation_over_classes``, ``correlation_over_attributes`` (Pearson), or
            ``absolute_…`` of the latter two.
        paired_by: what the pairs are.
        first: name of one model.
        second: name of the other.
        names: of the n pairs in which both are defined.
        difference: second less first, ``[n]``.
        mean: of the differences; NaN without pairs.
        low: lower end of its interval: percentile bootstrap over the pairs.
        high: upper end.
        p_value: of Wilcoxon's signed-rank test, two-sided; 1 where nothing differs, NaN without pairs.
        p_value_holm: the same corrected (Holm) for all pairs of models compared in this quantity.
        lower_share: in which share of the pairs the second is lower, in ``[0, 1]``; ties count half.
    """

    quantity: str
    paired_by: PairedBy
    first: str
    second: str
    names: tuple[str, ...]
    difference: Float[Tensor, "n"]
    mean: float
    low: float
    high: float
    p_value: float
    p_value_holm: float
    lower_share: float


@dataclass(frozen=True, eq=False)
class AnalysisComparison:
    """Two or more models on the same classes and semantics.

    Attributes:
        names: of the models, in the order given.
        metrics: headline metrics of each model by its name, as :meth:`Analysis.metrics` gives them.
        differences: every quantity for every pair of models, (first, second) in the order given.
    """

    names: tuple[str, ...]
    metrics: dict[str, dict[str, float]]
    differences: tuple[PairedDifference, ...]

    def of(self, quantity: str) -> list[PairedDifference]:
        """The differences in one quantity, one per pair of models."""
        return [difference for difference in self.differences if difference.quantity == quantity]

    def to_dict(self) -> dict[str, Any]:
        """Every field by name as JSON values: tensors are lists, NaN is None."""
        content: dict[str, Any] = json_value(self)
        return content


def _by_name(names: Sequence[str], values: Float[Tensor, "N"]) -> Named:
    return dict(zip(names, values.tolist(), strict=True))


def _unseen_class_accuracy(analysis: Analysis) -> Named:
    unseen = analysis.conventional
    return {} if unseen is None else _by_name(unseen.candidates, unseen.class_accuracy)


QUANTITIES: Mapping[str, tuple[PairedBy, Callable[[Analysis], Named]]] = {
    "attribute_error": ("attributes", lambda analysis: _by_name(analysis.attributes, analysis.attribute_errors.mean)),
    "class_error": ("classes", lambda analysis: _by_name(analysis.classes, analysis.class_errors.mean)),
    "class_accuracy": (
        "classes",
        lambda analysis: _by_name(analysis.generalized.candidates, analysis.generalized.class_accuracy),
    ),
    "unseen_class_accuracy": ("classes", _unseen_class_accuracy),
    "correlation_over_classes": (
        "attributes",
        lambda analysis: _by_name(analysis.attributes, analysis.correlation_over_classes.pearson.value),
    ),
    "correlation_over_attributes": (
        "classes",
        lambda analysis: _by_name(analysis.classes, analysis.correlation_over_attributes.pearson.value),
    ),
    "absolute_correlation_over_classes": (
        "attributes",
        lambda analysis: _by_name(analysis.attributes, analysis.correlation_over_classes.pearson.value.abs()),
    ),
    "absolute_correlation_over_attributes": (
        "classes",
        lambda analysis: _by_name(analysis.classes, analysis.correlation_over_attributes.pearson.value.abs()),
    ),
}
"""What is compared: what its pairs are, and the figures of one model by name."""


def paired(first: Named, second: Named) -> tuple[tuple[str, ...], Float[Tensor, "n"]]:
    """Names in which both are defined, and second less first."""
    difference = {name: second[name] - first[name] for name in first if name in second}
    difference = {name: value for name, value in difference.items() if not math.isnan(value)}
    return tuple(difference), torch.tensor(list(difference.values()), dtype=torch.float64)


def check_same_names(analyses: Mapping[str, Analysis]) -> None:
    """Refuse models that were not analysed on the same classes and semantics.

    Raises:
        ArgumentError: there are fewer than two, or their classes or semantics differ; it names some of them.
    """
    if len(analyses) < 2:
        raise ArgumentError(f"analyses: expected at least two models to compare, got {len(analyses)}")
    reference, *others = analyses
    for other in others:
        for kind in ("classes", "attributes"):
            expected, got = (set(getattr(analyses[name], kind)) for name in (reference, other))
            if differing := sorted(expected ^ got):
                raise ArgumentError(
                    f"analyses: expected the same {kind} in {reference!r} and {other!r}, "
                    f"but only one of them has {name_some(differing)}; analyse both on the same samples"
                )


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
