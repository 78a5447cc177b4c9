"""The exact seen-unseen curve: the accuracies of both sides at every γ.

Calibrated stacking (Chao et al., ECCV 2016) subtracts γ from the scores of seen classes. The chosen class of a sample
then depends on γ only through its margin δ = best seen score − best unseen score: a seen sample is right if and only if
its best seen class is right and γ < δ, an unseen sample if and only if its best unseen class is right and γ ≥ δ.
Sorting δ once gives every value of both accuracies, the best harmonic mean and the area, in O(N log N) and with a few
bytes per sample.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rezsl.errors import ArgumentError
from rezsl.functional.scoring import seen_unseen_margins
from rezsl.functional.shapes import ClassMask, Labels, Scores, checked


class CurvePoint(NamedTuple):
    """Seen accuracy S and unseen accuracy U at one γ; both are class-averaged, in ``[0, 1]``."""

    gamma: float
    seen: float
    unseen: float

    @property
    def harmonic_mean(self) -> float:
        """H = 2·S·U / (S + U); 0 where both are 0, and NaN where one of them is NaN."""
        return 0.0 if self.seen + self.unseen == 0 else 2 * self.seen * self.unseen / (self.seen + self.unseen)


class SeenUnseenCurve(NamedTuple):
    """Seen and unseen accuracy as step functions of γ.

    Attributes:
        gamma: begin of each step, ascending, ``[M]``. At the first, −∞, only seen classes are chosen.
        seen: S for γ in ``[gamma[k], gamma[k+1])``, class-averaged, falling, ``[M]``.
        unseen: U in the same steps, class-averaged, rising, ``[M]``.
    """

    gamma: Float[Tensor, "M"]
    seen: Float[Tensor, "M"]
    unseen: Float[Tensor, "M"]

    @property
    def ausuc(self) -> float:
        """Area under the seen-unseen curve (AUSUC), by trapezoids over the points (U, S), in ``[0, 1]``."""
        return float(torch.trapezoid(self.seen, self.unseen))

    def at(self, gamma: float) -> CurvePoint:
        """Return the accuracies at a given γ."""
        step = int(torch.searchsorted(self.gamma, self.gamma.new_tensor(gamma), right=True)) - 1
        return CurvePoint(gamma, float(self.seen[max(step, 0)]), float(self.unseen[max(step, 0)]))

    def keeping(self, share: float) -> float:
        """Return the largest γ at which S is at least ``share`` of its highest value, by the end of that step.

        No sample of an unseen class is needed: it is a quantile of the margins of the seen samples that are right.
        """
        steps = int((self.seen >= share * self.seen[0]).sum())
        return float(self.gamma[min(steps, len(self.gamma) - 1)])

    def best(self) -> CurvePoint:
        """Return the point with the highest harmonic mean.

        γ is the middle of the interval in which this mean is reached, so that it does not coincide with the margin of
        one sample. Where the harmonic mean is 0 everywhere, γ is 0. Where there are only seen or only unseen samples,
        γ and both accuracies are NaN.
        """
        if bool((self.seen + self.unseen).isnan().all()):
            return CurvePoint(math.nan, math.nan, math.nan)
        # Where both accuracies are 0, the quotient is NaN and the harmonic mean 0.
        harmonic_mean = (2 * self.seen * self.unseen / (self.seen + self.unseen)).nan_to_num(0.0)
        step = int(harmonic_mean.argmax())
        if harmonic_mean[step] == 0:
            return self.at(0.0)
        begin = float(self.gamma[step])
        end = float(self.gamma[step + 1]) if step + 1 < len(self.gamma) else begin
        # The middle of two neighbouring floats can round up to the next step; then the begin of this step is used.
        middle = begin / 2 + end / 2
        gamma = middle if begin <= middle < end else begin
        return CurvePoint(gamma, float(self.seen[step]), float(self.unseen[step]))


def average_curves(curves: Sequence[SeenUnseenCurve]) -> SeenUnseenCurve:
    """Return the curve whose S and U at each γ are the means over the curves, such as those of several folds."""
    gamma = torch.cat([curve.gamma for curve in curves]).unique()
    steps = [torch.searchsorted(curve.gamma, gamma, right=True).sub(1).clamp(min=0) for curve in curves]
    seen, unseen = (
        torch.stack([getattr(curve, side)[step] for curve, step in zip(curves, steps, strict=True)]).mean(dim=0)
        for side in ("seen", "unseen")
    )
    return SeenUnseenCurve(gamma, seen, unseen)


@checked
def curve_from_margins(
    margin: Float[Tensor, "N"], right: Bool[Tensor, "N"], labels: Int[Tensor, "N"], is_seen: ClassMask
) -> SeenUnseenCurve:
    """Compute the curve of samples from the results of :func:`seen_unseen_margins`.

    Without samples of seen classes S is NaN, without samples of unseen classes U; then the area and every harmonic mean
    are NaN, too.

    Raises:
        ArgumentError: a margin is not finite, or there are no samples.
    """
    if not bool(margin.isfinite().all()):
        raise ArgumentError("scores: expected finite class scores, got NaN or infinity; the model has diverged")
    if not len(labels):
        raise ArgumentError(
            "labels: expected samples of seen and of unseen classes, got none; add samples of the other kind"
        )
    count = torch.bincount(labels, minlength=len(is_seen))
    seen_classes, unseen_classes = (count > 0) & is_seen, (count > 0) & ~is_seen
    classes_on_side = torch.where(is_seen, seen_classes.sum(), unseen_classes.sum())
    share = right.double() / (classes_on_side[labels] * count[labels])

    order = _order_of(margin.double())
    ascending, from_seen, share = margin.double()[order], is_seen[labels][order], share[order]
    # Samples with equal margins change their class at the same γ.
    begins = torch.cat([ascending.new_ones(1, dtype=torch.bool), ascending[1:] != ascending[:-1]])
    gamma, step = ascending[begins], begins.cumsum(0) - 1
    lost = torch.zeros_like(gamma).index_add_(0, step, share * from_seen)
    won = torch.zeros_like(gamma).index_add_(0, step, share * ~from_seen)
    start, nothing = gamma.new_tensor([-torch.inf]), gamma.new_zeros(1)
    # The sum over the remaining seen samples runs from the far end, so that it ends at exactly 0.
    seen = torch.cat([lost.flip(0).cumsum(0).flip(0), nothing])
    unseen = torch.cat([nothing, won.cumsum(0)])
    for accuracy, classes in ((seen, seen_classes), (unseen, unseen_classes)):
        if not bool(classes.any()):
            accuracy.fill_(torch.nan)
    return SeenUnseenCurve(torch.cat([start, gamma]), seen, unseen)


def _order_of(values: Float[Tensor, "N"]) -> Int[Tensor, "N"]:
    """Return the positions of values in ascending order; NumPy sorts several times faster than torch on a CPU."""
    return torch.from_numpy(np.argsort(values.numpy())) if values.device.type == "cpu" else values.argsort()


@checked
def seen_unseen_curve(
    seen_scores: Scores,
    seen_labels: Labels,
    unseen_scores: Float[Tensor, "N C"],
    unseen_labels: Int[Tensor, "N"],
    is_seen: ClassMask,
) -> SeenUnseenCurve:
    """Compute the exact seen-unseen curve of a test set.

    Args:
        seen_scores: class scores of test samples of seen classes, ``[B, C]``.
        seen_labels: their classes, ``[B]``.
        unseen_scores: class scores of test samples of unseen classes, ``[N, C]``.
        unseen_labels: their classes, ``[N]``.
        is_seen: whether each class is seen, ``[C]``.

    Raises:
        ArgumentError: all classes are seen or none, a score is not finite, or samples of one kind are missing.

    >>> scores = torch.tensor([[3.0, 1.0], [2.0, 1.5]])
    >>> curve = seen_unseen_curve(scores, torch.tensor([0, 0]), scores.flip(1), torch.tensor([1, 1]),
    ...                           torch.tensor([True, False]))
    >>> curve.ausuc, curve.at(0.0).harmonic_mean
    (1.0, 1.0)
    """
    if bool(is_seen.all()) or not bool(is_seen.any()):
        raise ArgumentError(
            "is_seen: expected at least one seen and one unseen class, got only one kind; mark both kinds"
        )
    # The scores of both kinds are not joined, because they may take more memory than everything else.
    kinds = ((seen_scores, seen_labels), (unseen_scores, unseen_labels))
    parts = [seen_unseen_margins(scores, labels, is_seen) for scores, labels in kinds if len(labels)]
    margin, right = (torch.cat(part) for part in zip(*parts, strict=True)) if parts else (seen_scores.new_empty(0),) * 2
    curve = curve_from_margins(margin, right, torch.cat([seen_labels, unseen_labels]), is_seen)
    for side, accuracy in (("seen", curve.seen), ("unseen", curve.unseen)):
        if bool(accuracy.isnan().any()):
            raise ArgumentError(
                f"labels: expected samples of seen and of unseen classes, got no {side} sample; add some"
            )
    return curve
