"""The exact seen-unseen curve against the field's sweep over γ, and against the row maxima that it needs."""

from collections.abc import Iterator
from itertools import pairwise

import torch
from tests.oracles import curve as oracle

from benchmarks.timing import Comparison, side_by_side
from rezsl.functional import seen_unseen_curve

SIZES = {"AWA2": (13_795, 50, 40), "CUB": (4_731, 200, 150), "10,000 classes": (2_000, 10_000, 8_000)}
"""Samples, classes and seen classes, for which the curve is compared with the maximum of every row."""


def measure() -> Iterator[Comparison]:
    """Against the sweep at the size of AWA2's test set, and against the row maxima at several sizes."""
    yield against_sweep()
    for name, size in SIZES.items():
        yield against_maxima(name, *size)


def against_maxima(name: str, count: int, classes: int, seen: int) -> Comparison:
    """The curve beside ``scores.max(dim=1)``: every way to it must read every score once, so less is hardly possible.

    The ratio must not fall below 0.4; seen and unseen classes are mixed, which is the slower case.
    """
    is_seen = (torch.arange(classes) < seen)[torch.randperm(classes)]
    scores, sides = 3 * torch.randn(count, classes), [mask.nonzero().squeeze(1) for mask in (is_seen, ~is_seen)]
    half = count // 2
    labels = [
        side[torch.randint(len(side), (number,))] for side, number in zip(sides, (half, count - half), strict=True)
    ]
    scores[torch.arange(count), torch.cat(labels)] += 6
    parts = scores[:half].clone(), scores[half:].clone()
    times = side_by_side(
        lambda: scores.max(dim=1),
        lambda: seen_unseen_curve(parts[0], labels[0], parts[1], labels[1], is_seen),
        rounds=15,
    )
    return Comparison(f"row maxima alone, and the whole curve, {name}", *times, "at least 0.4 × is kept")


def against_sweep() -> Comparison:
    """5,882 seen and 7,913 unseen samples, 40 + 10 classes; γ over all margins by 0.01."""
    is_seen = torch.arange(50) < 40
    seen_scores, seen_labels = samples(5882, 0, 40)
    unseen_scores, unseen_labels = samples(7913, 40, 50)

    def ours() -> float:
        return seen_unseen_curve(seen_scores, seen_labels, unseen_scores, unseen_labels, is_seen).ausuc

    def sweep() -> list[oracle.Accuracies]:
        return oracle.literal_sweep(
            0.01,
            seen_scores.double().numpy(),
            seen_labels.numpy(),
            unseen_scores.double().numpy(),
            unseen_labels.numpy(),
            is_seen.numpy(),
        ).points

    points = sweep()
    times = side_by_side(sweep, ours, rounds=2)
    # Between two of its points the monotone curve may lie anywhere in their rectangle: half of it is the sweep's error.
    bound = sum(abs((b.unseen - a.unseen) * (b.seen - a.seen)) / 2 for a, b in pairwise(points))
    difference = f"{abs(ours() - oracle.area(points)):.1e} (sweep's own error up to {bound:.1e})"
    return Comparison("seen-unseen curve, 13,795 × 50", *times, difference)


def samples(count: int, low: int, high: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores [N, 50] that favour the right class, and labels in [low, high)."""
    labels = torch.randint(low, high, (count,))
    scores = 3 * torch.randn(count, 50)
    scores[torch.arange(count), labels] += 6
    return scores, labels
