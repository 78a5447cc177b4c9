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
from rezsl.evaluation._recognition import Recognition
from rezsl.functional.statistics import bootstrap_weights, percentile_interval

PairedBy = Literal["attributes", "classes"]
Named = dict[str, float]


@dataclass(frozen=True, eq=False)
class PairedDifference:
    """The difference of two models in one quantity, paired attribute by attribute or class by class.

    The interval and the test generalise to other attributes (classes) of the same kind, with these very weights. They
    do not include how much another training seed would change.

    Attributes:
        quantity: the compared quantity: ``attribute_error``, ``class_error``, ``class_accuracy``,
            ``unseen_class_accuracy`` (among unseen classes only), ``correlation_over_classes``,
            ``correlation_over_attributes`` (Pearson), or ``absolute_…`` of the latter two.
        paired_by: ``attributes`` or ``classes``.
        first: name of the first model.
        second: name of the second model.
        names: of the n attributes (classes) in which both models have a value.
        difference: value of the second model minus value of the first, ``[n]``.
        mean: mean of the differences; NaN without pairs.
        low: lower end of the interval of the mean, by percentile bootstrap over the pairs.
        high: upper end of that interval.
        p_value: p of Wilcoxon's signed-rank test, two-sided; 1 where nothing differs, NaN without pairs.
        p_value_holm: the same, corrected (Holm) for all pairs of models that are compared in this quantity.
        lower_share: share of the pairs in which the second model is lower, in ``[0, 1]``; ties count half.
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
    """A comparison of two or more models on the same classes and attributes.

    Attributes:
        names: of the models, in the order of the argument.
        metrics: metrics of each model by its name, as :meth:`Analysis.metrics` returns them.
        differences: every quantity for every pair of models, (first, second) in the order of the argument.
    """

    names: tuple[str, ...]
    metrics: dict[str, dict[str, float]]
    differences: tuple[PairedDifference, ...]

    def of(self, quantity: str) -> list[PairedDifference]:
        """Return the differences in one quantity, one per pair of models."""
        return [difference for difference in self.differences if difference.quantity == quantity]

    def to_dict(self) -> dict[str, Any]:
        """Return every field by name as JSON values: tensors become lists, NaN becomes None."""
        content: dict[str, Any] = json_value(self)
        return content


def _attributes(read: Callable[[Analysis], Tensor]) -> tuple[PairedBy, Callable[[Analysis], Named]]:
    return "attributes", lambda analysis: _by_name(analysis.attributes, read(analysis))


def _classes(read: Callable[[Analysis], Tensor]) -> tuple[PairedBy, Callable[[Analysis], Named]]:
    return "classes", lambda analysis: _by_name(analysis.classes, read(analysis))


def _recognised(read: Callable[[Analysis], Recognition | None]) -> tuple[PairedBy, Callable[[Analysis], Named]]:
    def accuracies(analysis: Analysis) -> Named:
        found = read(analysis)
        return {} if found is None else _by_name(found.candidates, found.class_accuracy)

    return "classes", accuracies


def _by_name(names: Sequence[str], values: Float[Tensor, "N"]) -> Named:
    return dict(zip(names, values.tolist(), strict=True))


QUANTITIES: Mapping[str, tuple[PairedBy, Callable[[Analysis], Named]]] = {
    "attribute_error": _attributes(lambda analysis: analysis.attribute_errors.mean),
    "class_error": _classes(lambda analysis: analysis.class_errors.mean),
    "class_accuracy": _recognised(lambda analysis: analysis.generalized),
    "unseen_class_accuracy": _recognised(lambda analysis: analysis.conventional),
    "correlation_over_classes": _attributes(lambda analysis: analysis.correlation_over_classes.pearson.value),
    "correlation_over_attributes": _classes(lambda analysis: analysis.correlation_over_attributes.pearson.value),
    "absolute_correlation_over_classes": _attributes(
        lambda analysis: analysis.correlation_over_classes.pearson.value.abs()
    ),
    "absolute_correlation_over_attributes": _classes(
        lambda analysis: analysis.correlation_over_attributes.pearson.value.abs()
    ),
}
"""The compared quantities: by what they are paired, and how they are read from an analysis."""


def _paired(first: Named, second: Named) -> tuple[tuple[str, ...], Float[Tensor, "n"]]:
    """Return the names with a value in both models, and the differences second minus first."""
    difference = {name: second[name] - first[name] for name in first if name in second}
    difference = {name: value for name, value in difference.items() if not math.isnan(value)}
    return tuple(difference), torch.tensor(list(difference.values()), dtype=torch.float64)


def _check_same_names(analyses: Mapping[str, Analysis]) -> None:
    """Raise an error if models were not analysed on the same classes and attributes.

    Raises:
        ArgumentError: there are fewer than two, or their classes or attributes differ; the message names some.
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
    """Compare two or more models on the same test samples, attribute by attribute and class by class.

    Args:
        analyses: one of each model, by its name.
        options: bootstrap draws, seed and level of the intervals.

    Raises:
        ArgumentError: there are fewer than two, or they were analysed on different classes or attributes.
    """
    options = AnalysisOptions() if options is None else options
    _check_same_names(analyses)
    differences: list[PairedDifference] = []
    for quantity, (paired_by, read) in QUANTITIES.items():
        of_models = {name: read(analysis) for name, analysis in analyses.items()}
        compared = [
            _compare(quantity, paired_by, {name: of_models[name] for name in pair}, options)
            for pair in combinations(of_models, 2)
        ]
        corrected = holm([difference.p_value for difference in compared])
        differences += [replace(one, p_value_holm=p) for one, p in zip(compared, corrected, strict=True)]
    metrics = {name: analysis.metrics() for name, analysis in analyses.items()}
    return AnalysisComparison(tuple(analyses), metrics, tuple(differences))


def _compare(
    quantity: str, paired_by: PairedBy, pair: Mapping[str, Named], options: AnalysisOptions
) -> PairedDifference:
    first, second = pair
    names, difference = _paired(pair[first], pair[second])
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
    difference = difference[difference != 0]  # ties favour neither model, and Wilcoxon dropped them
    return float(wilcoxon(difference.numpy()).pvalue) if len(difference) else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number (Holm, 1979); NaN stays NaN and is not counted.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    known = sorted((p, position) for position, p in enumerate(p_values) if not math.isnan(p))
    corrected, highest = list(p_values), 0.0
    for rank, (p, position) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * p))
        corrected[position] = highest
    return corrected
