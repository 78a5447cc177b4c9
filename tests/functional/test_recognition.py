import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import skew

from rezsl.errors import ArgumentError
from rezsl.functional.recognition import hubness, reliability, study_mistakes
from rezsl.functional.scoring import calibrated_choice, confusion_counts
from tests.oracles import analysis_recognition as oracle


@pytest.mark.parametrize("seen_count", [0, 3, 5])
@pytest.mark.parametrize("gamma", [0.0, 0.7, -1.5])
def test_choices_match_the_loops(seen_count: int, gamma: float) -> None:
    scores = 3 * torch.randn(40, 5, generator=torch.Generator().manual_seed(0)).double()
    is_seen = torch.arange(5) < seen_count
    chosen, confidence, calibrated = calibrated_choice(scores, is_seen, gamma)
    for row in range(40):
        expected = oracle.choose(scores[row].numpy(), is_seen.numpy(), gamma)
        assert (chosen[row].item(), confidence[row].item()) == pytest.approx(expected)
    torch.testing.assert_close(calibrated, scores - gamma * is_seen)


def test_at_its_margin_a_sample_goes_to_the_unseen_class() -> None:
    scores = torch.tensor([[0.3, 0.1]])
    margin = float(scores[0, 0].double() - scores[0, 1].double())
    is_seen = torch.tensor([True, False])
    assert calibrated_choice(scores, is_seen, margin)[0].item() == 1
    assert calibrated_choice(scores, is_seen, float(np.nextafter(margin, 0)))[0].item() == 0


def test_mistakes_match_the_loops() -> None:
    rng = np.random.default_rng(0)
    predictions, table = rng.normal(size=(30, 6)), rng.random((5, 6))
    predictions[3] = 0  # the row of zeros has no direction
    truth, chosen = rng.integers(0, 5, 30), rng.integers(0, 5, 30)
    chosen[3] = (truth[3] + 1) % 5
    chosen[:3] = truth[:3]
    found = study_mistakes(*map(torch.from_numpy, (predictions, table, truth, chosen)))
    expected = oracle.mistakes(predictions, table, truth, chosen)
    assert found.position.tolist() == [mistake.position for mistake in expected]
    assert found.neighbour_rank.tolist() == [mistake.neighbour_rank for mistake in expected]
    for name in ("error", "cosine_to_truth", "cosine_to_chosen"):
        assert getattr(found, name).tolist() == pytest.approx([getattr(mistake, name) for mistake in expected])
    assert found.gap.tolist() == pytest.approx([m.cosine_to_chosen - m.cosine_to_truth for m in expected])
    assert found.nearest_share == pytest.approx(np.mean([m.neighbour_rank == 1 for m in expected]))
    right = [row for row in range(30) if truth[row] == chosen[row]]
    errors = [oracle.squared_error(predictions[row], table[truth[row]]) for row in right]
    cosines = [oracle.cosine(predictions[row], table[truth[row]]) for row in right]
    assert (found.right_error, found.right_cosine) == pytest.approx((np.mean(errors), np.mean(cosines)))
    np.testing.assert_array_equal(
        confusion_counts(torch.from_numpy(truth), torch.from_numpy(chosen), 5), oracle.confusion(truth, chosen, 5)
    )


def test_classes_that_nothing_tells_apart_are_each_others_nearest() -> None:
    table = torch.tensor([[1.0, 2.0, 0.3], [3.0, 6.0, 0.9], [2.0, 4.0, 0.6], [0.0, 1.0, 5.0]])
    truth, chosen = torch.tensor([0, 0, 0]), torch.tensor([1, 2, 3])
    assert study_mistakes(torch.rand(3, 3), table, truth, chosen).neighbour_rank.tolist() == [1, 1, 3]


def test_without_mistakes_and_with_nothing_else() -> None:
    table, truth = torch.eye(3), torch.tensor([0, 1])
    none = study_mistakes(table[truth], table, truth, truth)
    assert len(none.position) == 0
    assert np.isnan(none.nearest_share)
    assert (none.right_error, none.right_cosine) == (0.0, 1.0)
    all_wrong = study_mistakes(table[truth], table, truth, truth + 1)
    assert np.isnan([all_wrong.right_error, all_wrong.right_cosine]).all()


@pytest.mark.parametrize("neighbours", [1, 3, 99])
def test_hubness_matches_the_loops_and_scipy(neighbours: int) -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(50, 12, generator=generator) + torch.tensor([4.0] + [0.0] * 11)
    found = hubness(scores, neighbours)
    occurrence = oracle.occurrence(scores.double().numpy(), neighbours)
    np.testing.assert_array_equal(found.occurrence, occurrence)
    assert found.occurrence.sum().item() == found.neighbours * 50
    assert found.is_orphan.tolist() == (occurrence == 0).tolist()
    if neighbours == 99:  # every class is among the 12 nearest of 12
        assert np.isnan(found.skewness)
        assert not bool(found.is_hub.any())
    else:
        assert found.skewness == pytest.approx(skew(occurrence))
        assert found.is_hub.tolist() == (occurrence > occurrence.mean() + 2 * occurrence.std()).tolist()
        assert found.is_hub[0]


def test_impossible_neighbours() -> None:
    with pytest.raises(ArgumentError, match="neighbours: expected at least 1, got 0"):
        hubness(torch.rand(2, 2), 0)


@given(
    confidence=st.lists(st.floats(0, 1), min_size=1, max_size=40),
    bins=st.integers(1, 15),
    seed=st.integers(0, 9),
    adaptive=st.booleans(),
)
def test_reliability_matches_the_loops(confidence: list[float], bins: int, seed: int, adaptive: bool) -> None:
    given_confidence = torch.tensor(confidence, dtype=torch.float64)
    right = torch.rand(len(confidence), generator=torch.Generator().manual_seed(seed)) < 0.5
    found = reliability(given_confidence, right, bins, "equal_count" if adaptive else "equal_width")
    expected = oracle.reliability(given_confidence.numpy(), right.numpy(), found.edges.numpy())
    assert found.count.tolist() == [one.size for one in expected]
    np.testing.assert_allclose(found.confidence, [one.confidence for one in expected], atol=1e-12)
    np.testing.assert_allclose(found.accuracy, [one.accuracy for one in expected], atol=1e-12)
    assert found.ece == pytest.approx(oracle.expected_calibration_error(expected), abs=1e-9)
    assert found.count.sum().item() == len(confidence)
    gap = given_confidence.mean().item() - right.double().mean().item()
    assert found.overconfidence == pytest.approx(gap, abs=1e-9)
    assert found.mean_confidence == pytest.approx(sum(confidence) / len(confidence), abs=1e-9)
    assert found.mean_accuracy == pytest.approx(sum(right.tolist()) / len(right), abs=1e-9)
    assert abs(found.overconfidence) - 1e-9 <= found.ece <= found.largest_error + 1e-9
    if not adaptive:
        np.testing.assert_allclose(found.edges, np.linspace(0, 1, bins + 1), atol=1e-15)


def test_probabilities_that_hold_are_reliable() -> None:
    confidence = torch.rand(200_000, generator=torch.Generator().manual_seed(0)).double()
    right = torch.rand(200_000, generator=torch.Generator().manual_seed(1)) < confidence
    for binning in ("equal_width", "equal_count"):
        assert reliability(confidence, right, 15, binning).ece < 0.005
