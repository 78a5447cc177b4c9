from collections import Counter
from itertools import chain, pairwise

import pytest
import torch

from rezsl.data import EpisodicBatches, ShuffledBatches
from rezsl.errors import ArgumentError


@pytest.mark.parametrize(("count", "size"), [(10, 3), (10, 5), (9, 4), (5, 1), (1, 4), (7, 100)])
def test_shuffling_gives_every_sample_once(count: int, size: int) -> None:
    sampler = ShuffledBatches(torch.arange(count) + 100, size, seed=0)
    batches = list(sampler)
    assert sorted(chain.from_iterable(batches)) == list(range(100, 100 + count))
    assert len(batches) == len(sampler)
    if size > 1 and count > 1:
        assert min(map(len, batches)) > 1  # batch norm cannot learn from a batch of one


def test_epochs_differ_and_repeat() -> None:
    sampler = ShuffledBatches(torch.arange(50), 10, seed=3)
    first = list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    sampler.set_epoch(0)
    assert list(sampler) == first != second


def test_episodes_hold_ways_times_shots_and_draw_classes_evenly() -> None:
    labels = torch.tensor([0] * 100 + [1] * 10 + [2] * 2 + [3] * 30 + [4] * 7)
    sampler = EpisodicBatches(torch.arange(149), labels, ways=2, shots=4, count=50, seed=0)
    drawn = Counter[int]()
    for batch in sampler:
        classes = Counter(labels[batch].tolist())
        assert list(classes.values()) == [4, 4]
        drawn.update(classes)
    assert set(drawn.values()) == {80}  # 50 episodes × 2 ways over 5 classes: each had its turn 20 times


def test_classes_of_an_episode_may_be_drawn_without_regard_to_earlier_ones() -> None:
    labels = torch.arange(60) % 6
    sampler = EpisodicBatches(torch.arange(60), labels, ways=4, shots=2, count=600, seed=0, balanced=False)
    episodes = [frozenset(Counter(labels[batch].tolist())) for batch in sampler]
    assert set(map(len, episodes)) == {4}
    drawn = Counter(episodes)
    assert len(drawn) == 15  # all choices of 4 classes out of 6
    # Each has the probability 1/15, 40 of 600 episodes: the square of the standard deviation is 600 · 1/15 · 14/15.
    assert max(abs(count - 40) for count in drawn.values()) < 4 * (600 / 15 * 14 / 15) ** 0.5
    turns = Counter(label for episode in episodes for label in episode)
    assert len(set(turns.values())) > 1
    # Two episodes in a row may have the same classes, which turns would not allow here.
    assert any(first == second for first, second in pairwise(episodes))


def test_a_class_with_too_few_images_repeats_them_evenly() -> None:
    sampler = EpisodicBatches(torch.tensor([8, 9]), torch.tensor([5, 5]), ways=3, shots=5, count=1, seed=0)
    (batch,) = list(sampler)
    assert sorted(Counter(batch).values()) == [2, 3]


@pytest.mark.parametrize("name", ["ways", "shots", "count"])
def test_an_empty_episode_is_refused(name: str) -> None:
    sizes = {"ways": 1, "shots": 1, "count": 1} | {name: 0}
    with pytest.raises(ArgumentError, match=f"{name}: expected at least 1, got 0"):
        EpisodicBatches(torch.arange(2), torch.zeros(2, dtype=torch.int64), **sizes, seed=0)  # type: ignore[arg-type]
