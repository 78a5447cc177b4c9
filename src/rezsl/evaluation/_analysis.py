"""An evaluation with everything that predicted attributes show about a model."""

from dataclasses import dataclass, replace
from typing import Any

from jaxtyping import Int
from torch import Tensor

from rezsl.errors import ArgumentError
from rezsl.evaluation._evaluation import Evaluation
from rezsl.evaluation._json_values import json_value
from rezsl.evaluation._options import AnalysisOptions
from rezsl.evaluation._recognition import Recognition
from rezsl.functional.binning import ValueBins
from rezsl.functional.error_fall import ErrorFall
from rezsl.functional.imbalance import ErrorProfile
from rezsl.functional.statistics import Correlations
from rezsl.metrics import read_metrics


@dataclass(frozen=True, eq=False, kw_only=True)
class Analysis(Evaluation):
    """An evaluation of N samples of K classes with S attributes, with analyses of its errors and its recognition.

    The attributes of :class:`Evaluation` are those of the analysis too.

    Attributes:
        groups: the attribute group of each attribute, S names, or None.
        class_count: samples of each class, ``[K]``.
        scale: scale of the class scores; None where the scores come from another program.
        attribute_errors: the errors of each attribute over classes, ``[S]`` each.
        class_errors: the errors of each class over attributes, ``[K]`` each.
        correlation_over_classes: between attribute value (a cell of ``class_semantics``) and error, per attribute,
            ``[S]`` each; its intervals resample the classes.
        correlation_over_attributes: the same per class, ``[K]`` each; its intervals resample the attributes.
        error_by_value: the errors of all cells in bins of the attribute value.
        generalized: the recognition of all samples among all candidate classes, at ``gamma``.
        conventional: the recognition of the samples of unseen classes among the unseen classes only; None without any.
        error_fall: how fast the errors fell during training; None until :meth:`with_error_fall` adds it.
        options: the settings of the analysis.
    """

    groups: tuple[str, ...] | None
    class_count: Int[Tensor, "K"]
    scale: float | None
    attribute_errors: ErrorProfile
    class_errors: ErrorProfile
    correlation_over_classes: Correlations
    correlation_over_attributes: Correlations
    error_by_value: ValueBins
    generalized: Recognition
    conventional: Recognition | None
    error_fall: ErrorFall | None
    options: AnalysisOptions

    @property
    def worst_attributes(self) -> list[tuple[str, float]]:
        """Name and mean error of the ``options.worst`` worst attributes, the worst first."""
        return _named(self.attributes, self.attribute_errors, self.options.worst)

    @property
    def worst_classes(self) -> list[tuple[str, float]]:
        """Name and mean error of the ``options.worst`` worst classes, the worst first."""
        return _named(self.classes, self.class_errors, self.options.worst)

    def with_error_fall(self, fall: ErrorFall) -> "Analysis":
        """Return the same analysis with how fast the errors fell.

        Raises:
            ArgumentError: the fall was measured on other classes or attributes.
        """
        if fall.rate.shape != self.error_matrix.shape:
            expected, got = (" × ".join(map(str, matrix.shape)) for matrix in (self.error_matrix, fall.rate))
            raise ArgumentError(f"fall: expected a rate per class and attribute, {expected}, got {got}")
        return replace(self, error_fall=fall)

    def metrics(self) -> dict[str, float]:
        """Return every metric of :data:`rezsl.metrics.METRICS` that an analysis has, by name."""
        return read_metrics(self, "evaluation", "analysis")

    def to_dict(self) -> dict[str, Any]:
        """Return the metrics and every field by name, except the samples, as JSON values.

        Tensors become nested lists; NaN and infinity become None.
        """
        fields: dict[str, Any] = json_value(replace(self, samples=None))
        del fields["samples"]
        return {"metrics": json_value(self.metrics()), **fields}


def _named(names: tuple[str, ...], profile: ErrorProfile, count: int) -> list[tuple[str, float]]:
    return [(names[position], float(profile.mean[position])) for position in profile.worst(count).tolist()]
