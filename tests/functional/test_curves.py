import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rezsl.errors import ArgumentError
from rezsl.functional import SeenUnseenCurve, scoring, seen_unseen_curve, seen_unseen_margins
from tests.oracles import curve as oracle

Case = dict[str, torch.Tensor]


@st.composite
def cases(draw: Any) -> Case:
    """Draw scores on a coarse grid, so that margins are equal within and between seen and unseen samples."""
    seed = draw(st.integers(0, 10_000))
    seen_classes, unseen_classes = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    counts = draw(st.tuples(st.integers(1, 15), st.integers(1, 15)))
    grid = draw(st.sampled_from([1.0, 0.25, 1e-3]))
    return make_case(seed, seen_classes, unseen_classes, counts, grid)


def make_case(seed: int, seen_classes: int, unseen_classes: int, counts: tuple[int, int], grid: float) -> Case:
    generator = torch.Generator().manual_seed(seed)
    class_count = seen_classes + unseen_classes
    is_seen = torch.zeros(class_count, dtype=torch.bool)
    is_seen[torch.randperm(class_count, generator=generator)[:seen_classes]] = True
    case: Case = {"is_seen": is_seen}
    for side, count, mask in (("seen", counts[0], is_seen), ("unseen", counts[1], ~is_seen)):
        own = mask.nonzero().squeeze(1)
        case[f"{side}_labels"] = own[torch.randint(len(own), (count,), generator=generator)]
        scores = torch.randn(count, class_count, generator=generator, dtype=torch.float64)
        scores[torch.arange(count), case[f"{side}_labels"]] += 1
        # A small offset for every class avoids ties between two seen or two unseen classes, which the curve ignores.
        case[f"{side}_scores"] = (scores / grid).round() * grid + 1e-9 * torch.arange(class_count)
    return case


def literal(case: Case) -> tuple[Any, ...]:
    names = ("seen_scores", "seen_labels", "unseen_scores", "unseen_labels", "is_seen")
    return tuple(case[name].numpy() for name in names)


@given(case=cases())
def test_curve_matches_brute_force_at_every_gamma(case: Case) -> None:
    curve = seen_unseen_curve(**case)
    margins = curve.gamma[1:].tolist()
    between = [(left + right) / 2 for left, right in pairwise(margins)]
    for gamma in [margins[0] - 1, *margins, *between, margins[-1] + 1]:
        expected = oracle.accuracies_at(gamma, *literal(case))
        point = curve.at(gamma)
        assert (point.seen, point.unseen) == pytest.approx((expected.seen, expected.unseen), abs=1e-12)


@given(case=cases())
def test_area_and_best_harmonic_mean_match_brute_force(case: Case) -> None:
    curve, points = seen_unseen_curve(**case), oracle.exact_curve(*literal(case)).points
    assert curve.ausuc == pytest.approx(oracle.area(points), abs=1e-12)
    best = curve.best()
    assert best.harmonic_mean == pytest.approx(oracle.best_harmonic_mean(points), abs=1e-12)
    assert curve.at(best.gamma) == best


@given(case=cases())
def test_the_curve_is_monotone_and_ends_on_the_axes(case: Case) -> None:
    curve = seen_unseen_curve(**case)
    assert bool((curve.seen.diff() <= 0).all())
    assert bool((curve.unseen.diff() >= 0).all())
    assert curve.unseen[0] == 0
    assert curve.seen[-1] == 0


def test_agrees_with_subtracting_gamma_and_taking_the_best_class() -> None:
    case = make_case(3, 4, 3, (200, 150), 1e-6)
    sweep = oracle.literal_sweep(0.05, *literal(case), start=-9.0123, stop=9.0)
    curve = seen_unseen_curve(**case)
    for gamma, point in zip(sweep.gamma, sweep.points, strict=True):
        assert curve.at(float(gamma))[1:] == pytest.approx((point.seen, point.unseen), abs=1e-12)
    assert curve.ausuc == pytest.approx(oracle.area(sweep.points), abs=0.01)


def test_a_gamma_between_two_margins_is_chosen() -> None:
    curve = SeenUnseenCurve(
        torch.tensor([-math.inf, 1.0, 3.0]), torch.tensor([1.0, 1.0, 0.0]), torch.tensor([0.0, 1.0, 1.0])
    )
    assert curve.best() == (2.0, 1.0, 1.0)


def test_margins_one_float_apart_still_give_a_gamma_that_reaches_the_best() -> None:
    low = 1.0
    high = math.nextafter(low, 2)
    curve = SeenUnseenCurve(
        torch.tensor([-math.inf, low, high], dtype=torch.float64),
        torch.tensor([1.0, 1.0, 0.0]),
        torch.tensor([0.0, 1.0, 1.0]),
    )
    assert curve.at(curve.best().gamma).harmonic_mean == curve.best().harmonic_mean == 1.0


def test_nothing_right_leaves_gamma_at_zero() -> None:
    scores, is_seen = torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([True, True, False])
    curve = seen_unseen_curve(scores, torch.tensor([1]), scores, torch.tensor([2]), is_seen)
    assert curve.best().gamma == 0.0
    assert curve.best().harmonic_mean == 0.0


def test_float32_scores_are_enough() -> None:
    case = make_case(1, 5, 5, (500, 500), 1e-6)
    single = {name: value.float() if value.is_floating_point() else value for name, value in case.items()}
    assert seen_unseen_curve(**single).ausuc == pytest.approx(seen_unseen_curve(**case).ausuc, abs=1e-4)


@pytest.mark.parametrize("is_seen", [[True, True], [False, False]])
def test_one_sided_classes_are_refused(is_seen: list[bool]) -> None:
    scores, labels = torch.zeros(1, 2), torch.tensor([0])
    with pytest.raises(ArgumentError, match="is_seen: expected at least one seen and one unseen class"):
        seen_unseen_curve(scores, labels, scores, labels, torch.tensor(is_seen))


def test_samples_of_one_side_only_are_refused() -> None:
    scores, labels = torch.zeros(1, 2), torch.tensor([0])
    with pytest.raises(ArgumentError, match="got no unseen sample"):
        seen_unseen_curve(scores, labels, scores, labels, torch.tensor([True, False]))


def test_scores_of_a_diverged_model_are_refused() -> None:
    scores = torch.tensor([[np.nan, 0.0]], dtype=torch.float32)
    with pytest.raises(ArgumentError, match="expected finite class scores"):
        seen_unseen_curve(scores, torch.tensor([0]), scores, torch.tensor([1]), torch.tensor([True, False]))


@given(
    seed=st.integers(0, 10_000),
    classes=st.integers(1, 6),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16]),
    sliced=st.booleans(),
)
def test_of_equal_scores_the_first_class_wins(seed: int, classes: int, dtype: torch.dtype, sliced: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    # Four values, infinite ones among them, so that most rows have ties within a side and between the sides.
    values = torch.tensor([-math.inf, 0.0, 1.0, 1.0, 2.0], dtype=dtype)
    scores = values[torch.randint(len(values), (40, classes), generator=generator)]
    is_seen = torch.rand(classes, generator=generator) < 0.5
    labels = torch.randint(classes, (40,), generator=generator)
    with pytest.MonkeyPatch.context() as patched:
        if sliced:
            patched.setattr(scoring, "_SLICE", 7)
        margin, right = seen_unseen_margins(scores, labels, is_seen)
    rows, mask = scores.double().numpy(), is_seen.numpy()
    for row, label, found, is_right in zip(rows, labels.tolist(), margin.tolist(), right.tolist(), strict=True):
        own = mask == mask[label]
        assert is_right == (oracle.best_class(row, own) == label)
        best = [
            max((float(score) for score, on in zip(row, side, strict=True) if on), default=-math.inf)
            for side in (mask, ~mask)
        ]
        assert found == best[0] - best[1] or (math.isnan(found) and math.isnan(best[0] - best[1]))
