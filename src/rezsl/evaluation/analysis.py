"""Everything that predicted semantics tell about a model, as one object."""

from dataclasses import dataclass, replace
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor

from rezsl.errors import ArgumentError
from rezsl.evaluation.json_values import json_value
from rezsl.evaluation.options import AnalysisOptions
from rezsl.evaluation.recognition import Recognition
from rezsl.functional import CurvePoint, SeenUnseenCurve
from rezsl.functional.binning import ValueBins
from rezsl.functional.error_fall import ErrorFall
from rezsl.functional.imbalance import ErrorProfile
from rezsl.functional.statistics import Correlations

NAN = float("nan")


@dataclass(frozen=True, eq=False)
class Analysis:
    """The analysis of one model's predictions of N samples of K classes with S semantics.

    An error is the squared difference between the directions (rows of length 1) of predicted and true semantics, so
    the numbers equal those of :class:`rezsl.evaluation.Evaluation`. All tensors are on the CPU, figures in float64.

    Attributes:
        classes: names of the K classes that occur, in the order of the semantics table.
        attributes: S names.
        groups: the group of each attribute, S names, or None.
        is_seen: which of the K classes are seen.
        class_count: samples of each class, ``[K]``.
        gamma: γ of the working point: what seen classes lose.
        scale: of the cosine scores; None where the scores were given.
        error_matrix: mean error of each class in each semantic, ``[K, S]``.
        class_semantics: true directions, ``[K, S]``; "semantic value" means a cell of this.
        semantic_errors: the errors of each semantic over classes, ``[S]`` each.
        class_errors: the errors of each class over semantics, ``[K]`` each.
        correlation_over_classes: between semantic value and error, per semantic, ``[S]`` each; classes resampled.
        correlation_over_semantics: the same per class, ``[K]`` each; semantics resampled.
        error_by_value: the errors of all cells in bins of the semantic value.
        curve: the seen-unseen curve with its area ``curve.ausuc``; None without samples of both sides.
        point: S, U and H at ``gamma``; None without samples of both sides.
        oracle: the same at the γ that is best on these very samples; None without samples of both sides.
        generalized: all samples among all classes of the table, at ``gamma``.
        conventional: the samples of unseen classes among unseen classes only (T1); None without any.
        error_fall: how fast the errors fell during training; None until :meth:`with_error_fall` adds it.
        options: what was asked for.
    """

    classes: tuple[str, ...]
    attributes: tuple[str, ...]
    groups: tuple[str, ...] | None
    is_seen: tuple[bool, ...]
    class_count: Int[Tensor, "K"]
    gamma: float
    scale: float | None
    error_matrix: Float[Tensor, "K S"]
    class_semantics: Float[Tensor, "K S"]
    semantic_errors: ErrorProfile
    class_errors: ErrorProfile
    correlation_over_classes: Correlations
    correlation_over_semantics: Correlations
    error_by_value: ValueBins
    curve: SeenUnseenCurve | None
    point: CurvePoint | None
    oracle: CurvePoint | None
    generalized: Recognition
    conventional: Recognition | None
    error_fall: ErrorFall | None
    options: AnalysisOptions

    @property
    def t1(self) -> float:
        """Accuracy of unseen samples among the unseen classes only, class-averaged; NaN without such samples."""
        return NAN if self.conventional is None else self.conventional.accuracy

    @property
    def worst_semantics(self) -> list[tuple[str, float]]:
        """Name and mean error of the ``options.worst`` worst semantics, the worst first."""
        return _named(self.attributes, self.semantic_errors, self.options.worst)

    @property
    def worst_classes(self) -> list[tuple[str, float]]:
        """Name and mean error of the ``options.worst`` worst classes, the worst first."""
        return _named(self.classes, self.class_errors, self.options.worst)

    def with_error_fall(self, fall: ErrorFall) -> "Analysis":
        """The same analysis with how fast the errors fell.

        Raises:
            ArgumentError: it was measured on other classes or semantics.
        """
        if fall.rate.shape != self.error_matrix.shape:
            expected, got = (" × ".join(map(str, matrix.shape)) for matrix in (self.error_matrix, fall.rate))
            raise ArgumentError(f"fall: expected a rate per class and semantic, {expected}, got {got}")
        return replace(self, error_fall=fall)

    def metrics(self) -> dict[str, float]:
        """Every headline figure by name; NaN where it is undefined."""
        point, oracle = self.point, self.oracle
        semantic, worst = self.semantic_errors, self.options.worst
        pearson, spearman = self.correlation_over_classes.pearson, self.correlation_over_classes.spearman
        within = self.correlation_over_semantics
        return {
            "T1": self.t1,
            "U": NAN if point is None else point.unseen,
            "S": NAN if point is None else point.seen,
            "H": NAN if point is None else point.harmonic_mean,
            "gamma": self.gamma,
            "AUSUC": NAN if self.curve is None else self.curve.ausuc,
            "H_oracle": NAN if oracle is None else oracle.harmonic_mean,
            "gamma_oracle": NAN if oracle is None else oracle.gamma,
            "error_mean": semantic.mean_of_means,
            "error_spread": semantic.spread_of_means,
            "error_gini": semantic.gini_of_means,
            "error_worst": semantic.worst_mean(worst),
            "class_error_spread": self.class_errors.spread_of_means,
            "class_error_gini": self.class_errors.gini_of_means,
            "class_error_worst": self.class_errors.worst_mean(worst),
            "error_correlation": pearson.mean,
            "error_rank_correlation": spearman.mean,
            "error_correlation_within_class": within.pearson.mean,
            "error_rank_correlation_within_class": within.spearman.mean,
            **self._recognition_metrics(),
        }

    def _recognition_metrics(self) -> dict[str, float]:
        figures = {}
        for name, known in (("generalized", self.generalized), ("conventional", self.conventional)):
            figures[f"ece_{name}"] = NAN if known is None else known.reliability.ece
            figures[f"hub_skewness_{name}"] = NAN if known is None else known.hubness.skewness
            figures[f"nearest_share_{name}"] = NAN if known is None else known.mistakes.nearest_share
        return figures

    def to_dict(self) -> dict[str, Any]:
        """Figures, and every field by name, as JSON values: tensors are nested lists, NaN and infinity None."""
        return {"metrics": json_value(self.metrics()), **json_value(self)}


def _named(names: tuple[str, ...], profile: ErrorProfile, count: int) -> list[tuple[str, float]]:
    return [(names[position], float(profile.mean[position])) for position in profile.worst(count).tolist()]
