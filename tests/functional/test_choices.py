import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rezsl.errors import ArgumentError
from rezsl.functional import class_accuracies
from rezsl.functional.choices import class_f1, group_distances, top_k_accuracies
from rezsl.functional.scoring import confusion_counts
from tests.oracles import measures, scoring


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), k=st.integers(1, 7), ties=st.sampled_from([1, 3, 1000]))
def test_top_k_is_that_of_a_stable_order(seed: int, k: int, ties: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randint(ties, (23, 6), generator=generator).double()
    labels = torch.randint(5, (23,), generator=generator)
    accuracy, classes = top_k_accuracies(scores, labels, k)
    expected = scoring.class_hit_rates(measures.top_k_hits(scores.numpy(), labels.numpy(), k), labels.numpy())
    assert dict(zip(classes.tolist(), accuracy.tolist(), strict=True)) == pytest.approx(expected)
    if k >= 6:
        assert accuracy.tolist() == [1.0] * len(classes)


def test_top_1_is_the_accuracy_and_top_3_that_of_scikit_learn(generator: torch.Generator) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    scores, labels = torch.randn(80, 7, generator=generator), torch.arange(80) % 7
    torch.testing.assert_close(top_k_accuracies(scores, labels, 1), class_accuracies(scores.argmax(dim=1), labels))
    balanced = 1 / torch.bincount(labels)[labels].numpy()
    other = metrics.top_k_accuracy_score(labels, scores, k=3, sample_weight=balanced)
    assert float(top_k_accuracies(scores, labels, 3)[0].mean()) == pytest.approx(other)


@pytest.mark.parametrize("k", [0, -1])
def test_no_class_is_not_a_choice(k: int) -> None:
    with pytest.raises(ArgumentError, match=f"k: expected at least 1, got {k}"):
        top_k_accuracies(torch.rand(2, 3), torch.tensor([0, 1]), k)


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), samples=st.integers(1, 40))
def test_f1_is_the_harmonic_mean_of_precision_and_recall(seed: int, samples: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    generator = torch.Generator().manual_seed(seed)
    labels, chosen = torch.randint(5, (2, samples), generator=generator)
    found = class_f1(confusion_counts(labels, chosen, 6))
    expected = [measures.f1(chosen.numpy(), labels.numpy(), column) for column in range(6)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    present = labels.unique()
    other = metrics.f1_score(labels, chosen, labels=present, average=None, zero_division=0)
    np.testing.assert_allclose(found[present], other, rtol=1e-12)


def test_samples_of_other_classes_lower_f1_but_not_the_accuracy() -> None:
    labels, chosen = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 0, 1])
    assert class_accuracies(chosen, labels)[0].tolist() == [1.0, 0.5]
    assert class_f1(confusion_counts(labels, chosen, 3))[:2].tolist() == pytest.approx([0.8, 2 / 3])
    assert math.isnan(class_f1(confusion_counts(labels, chosen, 3))[2])


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), levels=st.integers(0, 3))
def test_distances_are_heights_of_common_groups(seed: int, levels: int) -> None:
    groups = torch.randint(3, (7, levels), generator=torch.Generator().manual_seed(seed))
    found = group_distances(groups)
    for first in range(7):
        for second in range(7):
            paths = [[*groups[place].tolist(), f"class {place}"] for place in (first, second)]
            assert float(found[first, second]) == pytest.approx(measures.tree_distance(*paths))
    # The distance of an ultrametric tree: the larger two of any three are equal.
    for triple in torch.combinations(torch.arange(7), 3):
        first, second, third = triple.tolist()
        sides = sorted([float(found[first, second]), float(found[first, third]), float(found[second, third])])
        assert sides[1] == sides[2]
