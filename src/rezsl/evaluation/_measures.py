"""Measures of predicted samples that other fields expect: the five best classes, F1, and the ranking by attributes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rezsl.functional import CurvePoint
from rezsl.functional.attribute_quality import area_under_roc, average_precision, binary_attributes
from rezsl.functional.choices import among_best, f1_of_choices
from rezsl.functional.scoring import calibrated_choice, class_accuracies, row_scales
from rezsl.functional.shapes import Scores

TOP = 5
"""k of the top-k accuracies."""

CELLS = 1 << 22
"""Predicted attributes that are ranked at a time."""


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
    score_blocks: Iterable[tuple[slice, Scores]],
    labels: Int[Tensor, "B"],
    is_seen: Bool[Tensor, "C"],
    gamma: float,
    predictions: Float[Tensor, "B S"] | None,
    class_semantics: Float[Tensor, "C S"],
) -> Measures:
    """Measure samples by their class scores and predicted attributes.

    Args:
        score_blocks: slices of the B samples, in order, with their scores ``[M, C]``, from which γ is not subtracted.
        labels: true class of each sample.
        is_seen: which classes are seen.
        gamma: γ of calibrated stacking.
        predictions: predicted attributes; None for a model that predicts none.
        class_semantics: attributes of the classes.
    """
    unseen, is_unseen_sample = (~is_seen).nonzero().squeeze(1), ~is_seen[labels]
    chosen, in_five = torch.empty_like(labels), torch.zeros_like(labels, dtype=torch.bool)
    in_five_unseen = torch.zeros_like(in_five)
    for part, scores in score_blocks:
        truth, rows = labels[part], is_unseen_sample[part]
        chosen[part], _, calibrated = calibrated_choice(scores, is_seen, gamma)
        in_five[part] = among_best(calibrated, truth, TOP)
        among_unseen = among_best(scores[rows][:, unseen], torch.searchsorted(unseen, truth[rows]), TOP)
        in_five_unseen[part] = rows.masked_scatter(rows, among_unseen)
    rank_all, rank_unseen = len(is_seen) > TOP, len(unseen) > TOP
    present = binary_attributes(class_semantics) if predictions is not None else None
    return Measures(
        u_top5=_share(in_five, labels, is_unseen_sample) if rank_all else None,
        s_top5=_share(in_five, labels, ~is_unseen_sample) if rank_all else None,
        t1_top5=_share(in_five_unseen, labels, is_unseen_sample) if rank_unseen else None,
        f1=f1_of_choices(labels, chosen, len(is_seen)),
        is_seen=is_seen,
        average_precision=_by_attribute(average_precision, predictions, present, labels),
        area_under_roc=_by_attribute(area_under_roc, predictions, present, labels),
    )


def _share(hits: Tensor, labels: Tensor, among: Tensor) -> float:
    """Return the share of hits within each class, averaged over the classes of some samples; NaN without samples."""
    return float(class_accuracies(torch.where(hits, labels, -1)[among], labels[among])[0].mean())


def _by_attribute(
    measured: Callable[[Tensor, Tensor], Tensor], predictions: Tensor | None, present: Tensor | None, labels: Tensor
) -> Tensor | None:
    """Rank the directions of predictions, a few attributes at a time, because ranks take ten times their memory."""
    if predictions is None or present is None:
        return None
    peak, length = row_scales(predictions)
    columns = torch.arange(predictions.shape[1]).split(max(1, CELLS // max(1, len(labels))))
    return torch.cat([measured(predictions[:, of] / peak / length, present[:, of][labels]) for of in columns])
