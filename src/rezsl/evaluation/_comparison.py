"""Analyses of several models side by side, paired over classes and over attributes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.errors import ArgumentError, name_some
from rezsl.evaluation._analysis import Analysis
from rezsl.evaluation._evaluation import AnalysisOptions, json_value
from rezsl.functional.statistics import bootstrap_weights, percentile_interval

PairedBy = Literal["attributes", "classes"]
Named = dict[str, float]
Quantities = dict[str, tuple[PairedBy, Named]]
"""The compared quantities of one model: by what each is paired, and its values by name."""


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


def compare_analyses(
    analyses: Mapping[str, Analysis], options: AnalysisOptions = AnalysisOptions()
) -> AnalysisComparison:
    """Compare the analyses of two or more models by name, attribute by attribute and class by class.

    The intervals have the bootstrap draws, seed and level of ``options``.

    Raises:
        ArgumentError: there are fewer than two, or they were analysed on different classes or attributes.
    """
    _check_same_names(analyses)
    of_models = {name: _quantities(analysis) for name, analysis in analyses.items()}
    differences: list[PairedDifference] = []
    for quantity in next(iter(of_models.values())):
        compared = [_compare(quantity, pair, of_models, options) for pair in combinations(of_models, 2)]
        corrected = holm([difference.p_value for difference in compared])
        differences += [replace(one, p_value_holm=p) for one, p in zip(compared, corrected, strict=True)]
    metrics = {name: analysis.metrics() for name, analysis in analyses.items()}
    return AnalysisComparison(tuple(analyses), metrics, tuple(differences))


def _check_same_names(analyses: Mapping[str, Analysis]) -> None:
    if len(analyses) < 2:
        raise ArgumentError(f"analyses: expected at least two models to compare, got {len(analyses)}; give another one")
    reference, *others = analyses
    for other in others:
        for kind in ("classes", "attributes"):
            expected, got = (set(getattr(analyses[name], kind)) for name in (reference, other))
            if differing := sorted(expected ^ got):
                raise ArgumentError(
                    f"analyses: expected the same {kind} in {reference!r} and {other!r}, "
                    f"but only one of them has {name_some(differing)}; analyse both on the same samples"
                )


def _quantities(analysis: Analysis) -> Quantities:
    over_classes = analysis.correlation_over_classes.pearson.value
    over_attributes = analysis.correlation_over_attributes.pearson.value
    unseen = analysis.conventional

    def values_of(paired_by: PairedBy, values: Float[Tensor, "n"]) -> tuple[PairedBy, Named]:
        names = analysis.attributes if paired_by == "attributes" else analysis.classes
        return paired_by, dict(zip(names, values.tolist(), strict=True))

    return {
        "attribute_error": values_of("attributes", analysis.attribute_errors.mean),
        "class_error": values_of("classes", analysis.class_errors.mean),
        "class_accuracy": ("classes", analysis.generalized.accuracy_of),
        "unseen_class_accuracy": ("classes", {} if unseen is None else unseen.accuracy_of),
        "correlation_over_classes": values_of("attributes", over_classes),
        "correlation_over_attributes": values_of("classes", over_attributes),
        "absolute_correlation_over_classes": values_of("attributes", over_classes.abs()),
        "absolute_correlation_over_attributes": values_of("classes", over_attributes.abs()),
    }


def _compare(
    quantity: str, pair: tuple[str, str], of_models: Mapping[str, Quantities], options: AnalysisOptions
) -> PairedDifference:
    (paired_by, first), (_, second) = (of_models[name][quantity] for name in pair)
    by_name = {name: second[name] - first[name] for name in first if name in second}
    by_name = {name: value for name, value in by_name.items() if not math.isnan(value)}
    difference = torch.tensor(list(by_name.values()), dtype=torch.float64)
    low = high = torch.nan
    if len(difference):
        weights = bootstrap_weights(len(difference), options.resamples, options.seed)
        draws = (weights @ difference / len(difference)).unsqueeze(1)
        low, high = map(float, percentile_interval(draws, options.level))
    p_value = _wilcoxon(difference)
    return PairedDifference(
        quantity=quantity,
        paired_by=paired_by,
        first=pair[0],
        second=pair[1],
        names=tuple(by_name),
        difference=difference,
        mean=float(difference.mean()),
        low=low,
        high=high,
        p_value=p_value,
        p_value_holm=p_value,
        lower_share=float(((difference < 0).double() + (difference == 0).double() / 2).mean()),
    )


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
