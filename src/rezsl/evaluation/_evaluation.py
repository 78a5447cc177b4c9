"""The result of a test: all metrics of one model on one set of samples; and the settings of its analysis."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rezsl.errors import check_at_least, check_between_0_and_1, check_choice
from rezsl.evaluation._measures import Measures, measure
from rezsl.functional import CurvePoint, Imbalance, SeenUnseenCurve, imbalance
from rezsl.functional.attribute_quality import attribute_r_squared
from rezsl.functional.binning import Binning
from rezsl.functional.shapes import Protocol, Scores
from rezsl.metrics import read_metrics
from rezsl.semantics import ClassSemantics

SLICE = 1 << 20
"""Class scores that an analysis has in memory at a time."""


@dataclass(frozen=True, eq=False)
class PredictedSamples:
    """Samples with predicted attributes, and the classes among which the samples are recognised.

    Attributes:
        semantics: the table of the C candidate classes.
        is_seen: which of them are seen, ``[C]``.
        predictions: predicted attributes of the N samples, ``[N, S]``.
        labels: row of the table of each sample, ``[N]``.
        scores_of: computes the class scores ``[M, C]`` of a slice of the samples, from which γ is not yet subtracted.
            They are computed on demand, because those of all samples may need much more memory than the predictions.
        scale: scale of the class scores; None where the scores come from another program.
        temperature: number by which scores are divided before their softmax gives probabilities.
        strangeness: of each sample, as in :class:`rezsl.classifier.Answer`, ``[N]``; None where the model has no limit.
    """

    semantics: ClassSemantics
    is_seen: Bool[Tensor, "C"]
    predictions: Float[Tensor, "N S"]
    labels: Int[Tensor, "N"]
    scores_of: Callable[[slice], Scores]
    scale: float | None
    temperature: float = 1.0
    strangeness: Float[Tensor, "N"] | None = None

    def score_blocks(self) -> Iterator[tuple[slice, Scores]]:
        """Yield slices of the samples with their class scores, at most :data:`SLICE` numbers at a time."""
        rows = max(1, SLICE // len(self.is_seen))
        for start in range(0, len(self.labels), rows):
            part = slice(start, start + rows)
            yield part, self.scores_of(part)

    def compute_scores(self) -> Scores:
        """Return the class scores of all samples, ``[N, C]``, in the memory of all of them."""
        return torch.cat([scores for _, scores in self.score_blocks()])

    def refused(self, seen: bool) -> float:
        """Return the share of samples of seen (or unseen) classes beyond the limit; NaN without samples or a limit."""
        of_kind = self.is_seen[self.labels] == seen
        return float((self.strangeness[of_kind] > 0).double().mean()) if self.strangeness is not None else math.nan


@dataclass(frozen=True, eq=False, kw_only=True)
class Evaluation:
    """All metrics of one set of weights on one set of samples. Accuracies are averages over classes, in ``[0, 1]``.

    An error is the squared difference between the directions (rows of length 1) of predicted and true attributes.
    Tensors are on the CPU. A metric is NaN where it is undefined: without samples of seen classes S, H and the area
    are undefined, without samples of unseen classes T1, U, H and the area.

    Attributes:
        t1: accuracy of unseen samples among the unseen classes only.
        point: S, U and H among all classes, at the γ of the model, which was chosen without test images; during
            validation itself, at the γ that is best on the validation samples.
        oracle: the same at the γ that is best on these very samples. Published tables report this one; it is
            optimistic, because the test classes determine γ.
        curve: the whole seen-unseen curve, with its area ``curve.ausuc``.
        classes: names of the K classes that occur.
        class_accuracy: accuracy of each of them at ``point``, ``[K]``.
        unseen_class_accuracy: the accuracies whose mean is T1, by class name.
        error_matrix: mean error of each class in each attribute, ``[K, S]``, float64.
        class_semantics: the true directions, ``[K, S]``, float64.
        attributes: S names.
        is_seen: which of the K classes are seen.
        protocol: ``oracle`` if epoch and γ were chosen on these very samples.
        t1_oracle: highest T1 of any epoch of the training on these very samples, which :func:`rezsl.fit` adds under the
            oracle protocol; otherwise None. Published tables report it beside the U, S and H of another epoch.
        t1_oracle_epoch: the first epoch with that T1, counted from 1.
        samples: the predictions that were evaluated; None where they were not kept.
        false_accept: share of foreign images that the model did not refuse; NaN where none were given.
        derived: whether the model predicts no attributes; the errors in ``error_matrix`` are then those of attributes
            derived from its scores of the seen classes, and no metric of this evaluation has them.
        caution: what readers must know of the model's figures, such as what :class:`rezsl.models.SemanticModel` says.
        failure: what went wrong in the training of the model, see there.
    """

    t1: float
    point: CurvePoint
    oracle: CurvePoint
    curve: SeenUnseenCurve
    classes: tuple[str, ...]
    class_accuracy: Float[Tensor, "K"]
    unseen_class_accuracy: dict[str, float]
    error_matrix: Float[Tensor, "K S"]
    class_semantics: Float[Tensor, "K S"]
    attributes: tuple[str, ...]
    is_seen: tuple[bool, ...]
    protocol: Protocol = "honest"
    t1_oracle: float | None = None
    t1_oracle_epoch: int | None = None
    samples: PredictedSamples | None = None
    false_accept: float = math.nan
    derived: bool = False
    caution: str = ""
    failure: str = ""

    @property
    def has_seen(self) -> bool:
        """Whether there are samples of seen classes."""
        return any(self.is_seen)

    @property
    def has_unseen(self) -> bool:
        """Whether there are samples of unseen classes."""
        return not all(self.is_seen)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences that limit what the metrics mean."""
        notes = [*([self.caution] if self.caution else []), *self.collapse]
        if sum(not seen for seen in self.is_seen) == 1:
            notes.append("there are test images of one unseen class, so T1 is 100 % by construction")
        if not self.has_seen:
            notes.append("there are no test images of seen classes, so S, H and AUSUC are not known")
        if self.t1 >= 0.5 and self.point.harmonic_mean < self.oracle.harmonic_mean / 2:
            notes.append(
                "γ, which was chosen without test images, does not fit these classes: unseen classes are recognised "
                "among themselves, but not beside the seen ones; rezsl predict --unseen-only chooses among unseen "
                "classes alone, --gamma sets another γ, and more classes with photos make its choice safer"
            )
        return tuple(notes)

    @property
    def collapse(self) -> tuple[str, ...]:
        """Signs that the model has collapsed, which is the normal failure of generators; empty for a sound model.

        They are a failed training, at most one unseen class that is ever recognised among the unseen ones, and an H of
        0 although one of S and U is not 0.
        """
        found = [self.failure] if self.failure else []
        recognised = [name for name, accuracy in self.unseen_class_accuracy.items() if accuracy > 0]
        count, point = len(self.unseen_class_accuracy), self.point
        if count > 1 and len(recognised) < 2:
            which = f"only {recognised[0]!r}" if recognised else "none"
            found.append(f"the model may have collapsed: of {count} unseen classes {which} is ever recognised")
        if self.has_seen and self.has_unseen and point.harmonic_mean == 0 < max(point.seen, point.unseen):
            found.append(
                f"the model may have collapsed: H is 0, with S at {100 * point.seen:.1f} % and U at "
                f"{100 * point.unseen:.1f} %"
            )
        return tuple(found)

    @property
    def false_reject_seen(self) -> float:
        """Share of the images of seen classes that are refused as far from every description; NaN where unknown."""
        return self.samples.refused(seen=True) if self.samples is not None else math.nan

    @property
    def false_reject_unseen(self) -> float:
        """Share of the images of unseen classes that are refused as far from every description; NaN where unknown."""
        return self.samples.refused(seen=False) if self.samples is not None else math.nan

    @property
    def gamma(self) -> float:
        """Number γ that is subtracted from the scores of seen classes at ``point``."""
        return self.point.gamma

    @property
    def ausuc(self) -> float:
        """Area under the seen-unseen curve."""
        return self.curve.ausuc

    @cached_property
    def imbalance(self) -> Imbalance:
        """How unevenly the attributes are predicted, over the classes that occur; NaN where they are derived."""
        matrix = torch.full_like(self.error_matrix, math.nan) if self.derived else self.error_matrix
        return imbalance(matrix, self.class_semantics)

    @cached_property
    @torch.inference_mode()
    def measures(self) -> Measures | None:
        """Measures that need the samples, at the γ of ``point``; None where the samples were not kept."""
        samples = self.samples
        if samples is None:
            return None
        predictions = None if self.derived else samples.predictions
        blocks, values = samples.score_blocks(), samples.semantics.values
        return measure(blocks, samples.labels, samples.is_seen, self.gamma, predictions, values)

    @cached_property
    def attribute_r_squared(self) -> Float[Tensor, "S"]:
        """R² of each attribute, over the classes that occur; NaN where attributes are derived."""
        found = attribute_r_squared(self.error_matrix, self.class_semantics)
        return torch.full_like(found, math.nan) if self.derived else found

    @property
    def median_r_squared(self) -> float | None:
        """The median over attributes of R², which a few attributes of little variance cannot move; None without one."""
        known = self.attribute_r_squared[~self.attribute_r_squared.isnan()]
        return float(known.quantile(0.5)) if len(known) else None

    @property
    def harmonic_mean_error(self) -> float:
        """Standard error of H at ``point`` over classes: how much H would change with another draw of classes.

        To first order, Var H = (∂H/∂S)² Var S + (∂H/∂U)² Var U. Var S and Var U are the variances of the class
        accuracies of each side, divided by their number; a side with a single class contributes nothing.
        """
        seen, unseen = self.point.seen, self.point.unseen
        if seen + unseen == 0:
            return 0.0
        is_seen = torch.tensor(self.is_seen)
        variance = 0.0
        for mask, other in ((is_seen, unseen), (~is_seen, seen)):
            accuracies = self.class_accuracy[mask]
            if len(accuracies) > 1:
                slope = 2 * other**2 / (seen + unseen) ** 2
                variance += slope**2 * float(accuracies.var()) / len(accuracies)
        return math.sqrt(variance)

    def metrics(self) -> dict[str, float]:
        """Return every metric of :data:`rezsl.metrics.METRICS` that an evaluation has, by name."""
        return read_metrics(self, "evaluation")

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the curve and the matrices as JSON values; an undefined metric becomes None."""
        content: dict[str, Any] = json_value(
            {
                "protocol": self.protocol,
                "caution": self.caution,
                "collapse": self.collapse,
                **read_metrics(self, "evaluation", "samples"),
                "class_accuracy": dict(zip(self.classes, self.class_accuracy.tolist(), strict=True)),
                "unseen_class_accuracy": self.unseen_class_accuracy,
                **self._detailed_measures(),
            }
        )
        return content

    def _detailed_measures(self) -> dict[str, dict[str, float]]:
        """Return F1 by class, and R², average precision and area under the ROC curve by attribute."""
        found = {} if self.derived else {"attribute_r2": (self.attributes, self.attribute_r_squared)}
        if self.measures is not None and self.samples is not None:
            found["class_f1"] = (self.samples.semantics.classes, self.measures.f1)
            for name, values in (("ap", self.measures.average_precision), ("auc", self.measures.area_under_roc)):
                if values is not None:
                    found[f"attribute_{name}"] = (self.attributes, values)
        return {name: dict(zip(names, values.tolist(), strict=True)) for name, (names, values) in found.items()}


MANY_CELLS = 200_000
"""An error matrix of more cells has fewer bootstrap draws."""


@dataclass(frozen=True)
class AnalysisOptions:
    """Settings of an analysis, which its result keeps; an ArgumentError names a setting that is outside its range.

    Attributes:
        resamples: number of bootstrap draws of each interval; at least 1. An error matrix of more than 200,000 cells
            has at most 100, because every draw ranks all cells anew, and intervals over so many cells are narrow.
        level: coverage of the intervals, between 0 and 1.
        seed: of the bootstrap's random numbers.
        value_bins: number of bins of the attribute value; at least 1.
        value_binning: ``equal_width``, or ``equal_count`` with as many cells in each bin.
        confidence_bins: number of bins of the reliability diagram; at least 1.
        confidence_binning: the same two ways; ``equal_count`` is also called adaptive.
        neighbours: number of nearest classes that hubness counts; at least 1.
        worst: number of the worst attributes (classes) over which ``error_worst`` averages; at least 1.
    """

    resamples: int = 1000
    level: float = 0.95
    seed: int = 0
    value_bins: int = 10
    value_binning: Binning = "equal_width"
    confidence_bins: int = 15
    confidence_binning: Binning = "equal_width"
    neighbours: int = 5
    worst: int = 10

    def draws(self, cells: int) -> int:
        """Return the number of bootstrap draws for an error matrix of so many cells."""
        return min(self.resamples, 100) if cells > MANY_CELLS else self.resamples

    def __post_init__(self) -> None:
        check_at_least(
            1, resamples=self.resamples, value_bins=self.value_bins, confidence_bins=self.confidence_bins,
            neighbours=self.neighbours, worst=self.worst,
        )  # fmt: skip
        check_between_0_and_1(level=self.level)
        check_choice(Binning, value_binning=self.value_binning, confidence_binning=self.confidence_binning)


def json_value(value: Any) -> Any:
    """Convert dataclasses and named tuples to objects, tensors and tuples to lists; NaN and infinity become None."""
    if isinstance(value, Tensor):
        value = value.tolist()
    elif is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    elif hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {str(name): json_value(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
