from dataclasses import replace

import pytest
import torch

from rezsl.data import Benchmark, selection_split
from rezsl.data._held_out import hold_out_classes, hold_out_samples
from rezsl.errors import DataError


def test_selection_stays_within_trainval_and_its_classes_are_disjoint(features: Benchmark) -> None:
    parts = selection_split(features, seed=0)
    chosen = torch.cat([parts.train, parts.val_seen, parts.val_unseen])
    assert sorted(chosen.tolist()) == sorted(features.split.trainval.tolist())
    assert set(features.class_names(parts.val_seen)) == set(features.class_names(parts.train))
    assert not set(features.class_names(parts.val_unseen)) & set(features.class_names(parts.train))


def test_the_seed_decides(features: Benchmark) -> None:
    first, again, other = (selection_split(features, seed) for seed in (1, 1, 2))
    assert torch.equal(first.train, again.train)
    assert not torch.equal(first.train, other.train)


def test_given_validation_classes_are_kept(features: Benchmark) -> None:
    trainval, labels = features.split.trainval, features.labels
    is_validation = labels[trainval] == 2
    split = replace(features.split, train=trainval[~is_validation], val=trainval[is_validation])
    parts = selection_split(replace(features, split=split), seed=0)
    assert features.class_names(parts.val_unseen) == ("c",)


def test_groups_stay_on_one_side_and_each_class_keeps_some() -> None:
    labels, groups = torch.tensor([0] * 12 + [1] * 3), torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4])
    kept, held_out = hold_out_samples(torch.arange(15), labels, groups, share=0.3, seed=0)
    assert not set(groups[kept].tolist()) & set(groups[held_out].tolist())
    assert len(held_out) == 6  # two of the four groups of class 0: the first to reach 30 %
    assert 4 in groups[kept]  # class 1 has a single group and keeps it


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_about_the_asked_share_is_held_out(share: float) -> None:
    labels = torch.arange(1000) % 4
    _, held_out = hold_out_samples(torch.arange(1000), labels, None, share, seed=0)
    assert len(held_out) == pytest.approx(1000 * share, abs=4)


def test_two_classes_cannot_give_one_up() -> None:
    with pytest.raises(DataError, match="classes: expected at least 3 to choose from"):
        hold_out_classes(torch.arange(4), torch.tensor([0, 0, 1, 1]), 0.2, 0)
