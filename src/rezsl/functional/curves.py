"""The seen-unseen curve of generalized zero-shot learning, exactly.

Calibrated stacking (Chao et al., ECCV 2016) subtracts γ from the scores of seen classes. Which of a sample's classes
wins then depends on γ only through its margin δ = best seen score − best unseen score: a seen sample is right iff its
best seen class is right and γ < δ, an unseen one iff its best unseen class is right and γ ≥ δ. Sorting δ once gives
every value of both accuracies, the best harmonic mean and the area, in O(N log N) and with a few bytes per sample.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rezsl.errors import ArgumentError
from rezsl.functional.shapes import ClassMask, Labels, Scores


class CurvePoint(NamedTuple):
    """One working point of a calibrated classifier; accuracies are class-averaged, in ``[0, 1]``."""

    gamma: float
    seen: float
    unseen: float

    @property
    def harmonic_mean(self) -> float:
        """H = 2·S·U / (S + U), 0 where both are 0, and NaN where one of them is."""
        return 0.0 if self.seen + self.unseen == 0 else 2 * self.seen * self.unseen / (self.seen + self.unseen)


class SeenUnseenCurve(NamedTuple):
    """Seen and unseen accuracy as step functions of γ.

    ``seen[k]`` and ``unseen[k]`` hold for γ in ``[gamma[k], gamma[k+1])``; ``gamma[0]`` is −∞ (only seen classes win).

    Attributes:
        gamma: where the steps begin, ascending, ``[M]``.
        seen: class-averaged accuracy of seen samples, falling, ``[M]``.
        unseen: class-averaged accuracy of unseen samples, rising, ``[M]``.
    """

    gamma: Float[Tensor, "M"]
    seen: Float[Tensor, "M"]
    unseen: Float[Tensor, "M"]

    @property
    def ausuc(self) -> float:
        """Area under the seen-unseen curve: trapezoids over the (unseen, seen) points, in ``[0, 1]``."""
        return float(torch.trapezoid(self.seen, self.unseen))

    def at(self, gamma: float) -> CurvePoint:
        """The working point at a given γ."""
        step = int(torch.searchsorted(self.gamma, self.gamma.new_tensor(gamma), right=True)) - 1
        return CurvePoint(gamma, float(self.seen[max(step, 0)]), float(self.unseen[max(step, 0)]))

    def best(self) -> CurvePoint:
        """The working point with the highest harmonic mean.

        γ is the middle of the interval in which it is reached, so that it does not sit on one sample's margin.
        Where the harmonic mean is 0 everywhere there is nothing to calibrate, and γ is 0. Where there were samples of
        one side only, everything is NaN.
        """
        if bool((self.seen + self.unseen).isnan().all()):
            return CurvePoint(math.nan, math.nan, math.nan)
        total = self.seen + self.unseen
        harmonic_mean = torch.where(total > 0, 2 * self.seen * self.unseen / torch.where(total > 0, total, 1.0), 0.0)
        step = int(harmonic_mean.argmax())
        if harmonic_mean[step] == 0:
            return self.at(0.0)
        begin = float(self.gamma[step])
        end = float(self.gamma[step + 1]) if step + 1 < len(self.gamma) else begin
        # The middle of two neighbouring floats can round up to the next step; then the step's own beginning serves.
        middle = begin / 2 + end / 2
        gamma = middle if begin <= middle < end else begin
        return CurvePoint(gamma, float(self.seen[step]), float(self.unseen[step]))


def seen_unseen_margins(
    scores: Scores, labels: Labels, is_seen: ClassMask
) -> tuple[Float[Tensor, "B"], Bool[Tensor, "B"]]:
    """What the curve needs to know of each sample.

    Args:
        scores: class scores ``[B, C]``.
        labels: class index of every sample, ``[B]``, in ``[0, C)``.
        is_seen: which classes are seen, ``[C]``.

    Returns:
        ``margin [B]`` = best seen score − best unseen score (float64), and ``right [B]``: whether the best class on the
        sample's own side is its label.
    """
    if bool(is_seen.all()) or not bool(is_seen.any()):
        raise ArgumentError("is_seen: expected at least one seen and one unseen class; a curve needs both sides")
    seen_index, unseen_index = is_seen.nonzero().squeeze(1), (~is_seen).nonzero().squeeze(1)
    best_seen, seen_winner = scores[:, seen_index].max(dim=1)
    best_unseen, unseen_winner = scores[:, unseen_index].max(dim=1)
    winner = torch.where(is_seen[labels], seen_index[seen_winner], unseen_index[unseen_winner])
    return best_seen.double() - best_unseen.double(), winner == labels


def curve_from_margins(
    margin: Float[Tensor, "N"], right: Bool[Tensor, "N"], labels: Labels, is_seen: ClassMask
) -> SeenUnseenCurve:
    """The curve of samples whose margins are known; see :func:`seen_unseen_margins` for the arguments.

    The accuracy of a side without samples is NaN, and so are the area and every harmonic mean.
    """
    if not bool(margin.isfinite().all()):
        raise ArgumentError("scores: expected finite class scores, got NaN or infinity; the model has diverged")
    count = torch.bincount(labels, minlength=len(is_seen))
    present = count > 0
    if not len(labels):
        raise ArgumentError("labels: expected samples of seen and of unseen classes, got none")
    classes_on_side = torch.where(is_seen, (present & is_seen).sum(), (present & ~is_seen).sum())
    share = right.double() / (classes_on_side[labels] * count[labels])
    from_seen = is_seen[labels]

    gamma, step = torch.unique(margin.double(), return_inverse=True)
    lost = torch.zeros_like(gamma).index_add_(0, step[from_seen], share[from_seen])
    won = torch.zeros_like(gamma).index_add_(0, step[~from_seen], share[~from_seen])
    start = torch.tensor([-torch.inf], dtype=gamma.dtype, device=gamma.device)
    nothing = torch.zeros_like(start)
    # What is left of the seen samples, summed from the far end: it ends at exactly 0 instead of a rounding error.
    seen = torch.cat([lost.flip(0).cumsum(0).flip(0), nothing])
    unseen = torch.cat([nothing, won.cumsum(0)])
    for accuracy, mask in ((seen, is_seen), (unseen, ~is_seen)):
        if not bool((present & mask).any()):
            accuracy.fill_(torch.nan)
    return SeenUnseenCurve(torch.cat([start, gamma]), seen, unseen)


def seen_unseen_curve(
    seen_scores: Scores,
    seen_labels: Labels,
    unseen_scores: Float[Tensor, "N C"],
    unseen_labels: Int[Tensor, "N"],
    is_seen: ClassMask,
) -> SeenUnseenCurve:
    """The exact seen-unseen curve of a test set.

    Args:
        seen_scores: class scores of test samples of seen classes, ``[B, C]``.
        seen_labels: their classes, ``[B]``.
        unseen_scores: class scores of test samples of unseen classes, ``[N, C]``.
        unseen_labels: their classes, ``[N]``.
        is_seen: which classes are seen, ``[C]``.

    Returns:
        A :class:`SeenUnseenCurve` with ``.gamma .seen .unseen .ausuc .best() .at(gamma)``.

    >>> scores = torch.tensor([[3.0, 1.0], [2.0, 1.5]])
    >>> curve = seen_unseen_curve(scores, torch.tensor([0, 0]), scores.flip(1), torch.tensor([1, 1]),
    ...                           torch.tensor([True, False]))
    >>> curve.ausuc, curve.at(0.0).harmonic_mean
    (1.0, 1.0)
    """
    scores, labels = torch.cat([seen_scores, unseen_scores]), torch.cat([seen_labels, unseen_labels])
    margin, right = seen_unseen_margins(scores, labels, is_seen)
    curve = curve_from_margins(margin, right, labels, is_seen)
    for side, accuracy in (("seen", curve.seen), ("unseen", curve.unseen)):
        if bool(accuracy.isnan().any()):
            raise ArgumentError(f"labels: expected samples of seen and of unseen classes, got no {side} sample")
    return curve
