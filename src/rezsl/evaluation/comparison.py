"""Analyses of several models side by side, paired over classes and over semantics."""

from dataclasses import dataclass
from typing import Any, Literal

from jaxtyping import Float
from torch import Tensor

from rezsl.evaluation.json_values import json_value

PairedBy = Literal["semantics", "classes"]


@dataclass(frozen=True, eq=False)
class PairedDifference:
    """One quantity of two models, compared semantic by semantic or class by class.

    The interval and the test speak of other semantics (classes) of the same kind, with these very weights; how much
    another training seed would change is not in them.

    Attributes:
        quantity: what is compared: ``semantic_error``, ``class_error``, ``class_accuracy``, ``unseen_class_accuracy``
            (among unseen classes only), ``correlation_over_classes``, ``correlation_over_semantics`` (Pearson), or
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
