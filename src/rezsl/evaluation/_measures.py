"""Measures of predicted samples that other fields expect: the five best classes, F1, and the ranking by attributes."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rezsl.functional import CurvePoint, l2_normalize
from rezsl.functional.attribute_quality import area_under_roc, average_precision, binary_attributes
from rezsl.functional.choices import class_f1, top_k_accuracies
from rezsl.functional.scoring import calibrated_choice, confusion_counts
from rezsl.functional.shapes import Scores

TOP = 5
"""k of the top-k accuracies."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Measures:
    """Measures of samples of C candidate classes with S attributes, at the γ of their evaluation, in ``[0, 1]``.

    Accuracies among the five best classes are averages over classes, and None where there are no more than five
    candidates, because they would be 1.

    Attributes:
        u_top5: of samples of unseen classes, among all classes.
        s_top5: of samples of seen classes, among all classes.
        t1_top5: of samples of unseen classes, among the unseen classes.
        f1: F1 of each class among all classes, ``[C]``; NaN for a class without samples.
        is_seen: which classes are seen, ``[C]``.
        average_precision: of each attribute over the samples, ``[S]``; None where the table is not binary, or the model
            predicts no attributes.
        area_under_roc: under the ROC curve of each attribute, ``[S]``; None in the same cases.
    """

    u_top5: float | None
    s_top5: float | None
    t1_top5: float | None
    f1: Float[Tensor, "C"]
    is_seen: Bool[Tensor, "C"]
    average_precision: Float[Tensor, "S"] | None
    area_under_roc: Float[Tensor, "S"] | None

    @property
    def h_top5(self) -> float | None:
        """The harmonic mean of ``s_top5`` and ``u_top5``."""
        if self.s_top5 is None or self.u_top5 is None:
            return None
        return CurvePoint(0.0, self.s_top5, self.u_top5).harmonic_mean

    @property
    def f1_seen(self) -> float:
        """F1, averaged over the seen classes with samples; NaN without any."""
        return float(self.f1[self.is_seen].nanmean())

    @property
    def f1_unseen(self) -> float:
        """F1, averaged over the unseen classes with samples; NaN without any."""
        return float(self.f1[~self.is_seen].nanmean())

    @property
    def mean_average_precision(self) -> float | None:
        """Average precision, averaged over the attributes that some samples have and others have not."""
        return None if self.average_precision is None else float(self.average_precision.nanmean())

    @property
    def mean_area_under_roc(self) -> float | None:
        """Area under the ROC curve, averaged over the same attributes."""
        return None if self.area_under_roc is None else float(self.area_under_roc.nanmean())


def measure(
    scores: Scores,
    labels: Int[Tensor, "B"],
    is_seen: Bool[Tensor, "C"],
    gamma: float,
    predictions: Float[Tensor, "B S"] | None,
    class_semantics: Float[Tensor, "C S"],
) -> Measures:
    """Measure samples by their class scores ``[B, C]``, from which γ is not subtracted, and predicted attributes.

    ``predictions`` are None for a model that predicts no attributes.
    """
    chosen, _, calibrated = calibrated_choice(scores, is_seen, gamma)
    is_unseen_sample, candidates = ~is_seen[labels], len(is_seen)
    unseen = (~is_seen).nonzero().squeeze(1)
    rows = torch.searchsorted(unseen, labels[is_unseen_sample])
    present = binary_attributes(class_semantics) if predictions is not None else None
    directions = l2_normalize(predictions) if predictions is not None and present is not None else None
    return Measures(
        u_top5=_among_five(calibrated[is_unseen_sample], labels[is_unseen_sample]),
        s_top5=_among_five(calibrated[~is_unseen_sample], labels[~is_unseen_sample]),
        t1_top5=_among_five(scores[is_unseen_sample][:, unseen], rows),
        f1=class_f1(confusion_counts(labels, chosen, candidates)),
        is_seen=is_seen,
        average_precision=_by_attribute(average_precision, directions, present, labels),
        area_under_roc=_by_attribute(area_under_roc, directions, present, labels),
    )


def _among_five(scores: Tensor, labels: Tensor) -> float | None:
    """Return the accuracy among the five best classes; NaN without samples."""
    return float(top_k_accuracies(scores, labels, TOP)[0].mean()) if scores.shape[1] > TOP else None


def _by_attribute(
    measured: Callable[[Tensor, Tensor], Tensor], directions: Tensor | None, present: Tensor | None, labels: Tensor
) -> Tensor | None:
    return measured(directions, present[labels]) if directions is not None and present is not None else None
