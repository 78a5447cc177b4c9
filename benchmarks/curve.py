"""The exact seen-unseen curve against the field's sweep over γ, at the size of AWA2's test set."""

from collections.abc import Iterator

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

    def sweep(step: float) -> float:
        return oracle.area(
            oracle.literal_sweep(
                step,
                seen_scores.double().numpy(),
                seen_labels.numpy(),
                unseen_scores.double().numpy(),
                unseen_labels.numpy(),
                is_seen.numpy(),
            ).points
        )

    areas = {step: sweep(step) for step in (0.02, 0.01)}
    times = side_by_side(lambda: sweep(0.01), ours, rounds=2)
    # The sweep's own error: how much its area still moves when its step is halved.
    difference = f"{abs(ours() - areas[0.01]):.1e} (the sweep's own error {abs(areas[0.02] - areas[0.01]):.1e})"
    yield Comparison("seen-unseen curve, 13,795 × 50", *times, difference)


def samples(count: int, low: int, high: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores [N, 50] that favour the right class, and labels in [low, high)."""
    labels = torch.randint(low, high, (count,))
    scores = 3 * torch.randn(count, 50)
    scores[torch.arange(count), labels] += 6
    return scores, labels
