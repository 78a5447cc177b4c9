"""The exact seen-unseen curve against the field's sweep over γ, at the size of AWA2's test set."""

from collections.abc import Iterator
from itertools import pairwise

import torch
from tests.oracles import curve as oracle

from benchmarks.timing import Comparison, side_by_side
from rezsl.functional import seen_unseen_curve


def measure() -> Iterator[Comparison]:
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
    yield Comparison("seen-unseen curve, 13,795 × 50", *times, difference)


def samples(count: int, low: int, high: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores [N, 50] that favour the right class, and labels in [low, high)."""
    labels = torch.randint(low, high, (count,))
    scores = 3 * torch.randn(count, 50)
    scores[torch.arange(count), labels] += 6
    return scores, labels
