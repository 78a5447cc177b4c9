"""Figures of several models, paired by name."""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.errors import ArgumentError, name_some
from rezsl.evaluation.analysis import Analysis
from rezsl.evaluation.comparison import PairedBy

Named = dict[str, float]


def _by_name(names: Sequence[str], values: Float[Tensor, "N"]) -> Named:
    return dict(zip(names, values.tolist(), strict=True))


def _unseen_class_accuracy(analysis: Analysis) -> Named:
    unseen = analysis.conventional
    return {} if unseen is None else _by_name(unseen.candidates, unseen.class_accuracy)


QUANTITIES: Mapping[str, tuple[PairedBy, Callable[[Analysis], Named]]] = {
    "semantic_error": ("semantics", lambda analysis: _by_name(analysis.attributes, analysis.semantic_errors.mean)),
    "class_error": ("classes", lambda analysis: _by_name(analysis.classes, analysis.class_errors.mean)),
    "class_accuracy": (
        "classes",
        lambda analysis: _by_name(analysis.generalized.candidates, analysis.generalized.class_accuracy),
    ),
    "unseen_class_accuracy": ("classes", _unseen_class_accuracy),
    "correlation_over_classes": (
        "semantics",
        lambda analysis: _by_name(analysis.attributes, analysis.correlation_over_classes.pearson.value),
    ),
    "correlation_over_semantics": (
        "classes",
        lambda analysis: _by_name(analysis.classes, analysis.correlation_over_semantics.pearson.value),
    ),
    "absolute_correlation_over_classes": (
        "semantics",
        lambda analysis: _by_name(analysis.attributes, analysis.correlation_over_classes.pearson.value.abs()),
    ),
    "absolute_correlation_over_semantics": (
        "classes",
        lambda analysis: _by_name(analysis.classes, analysis.correlation_over_semantics.pearson.value.abs()),
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
