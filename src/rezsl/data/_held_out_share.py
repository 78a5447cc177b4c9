"""Holding out a share of each seen class for the test, whole groups at a time, as near to the share as they allow."""

import torch
from jaxtyping import Int
from torch import Tensor


def hold_out_test_seen(
    index: Int[Tensor, "K"], labels: Int[Tensor, "N"], groups: Int[Tensor, "N"], share: float, seed: int
) -> tuple[Int[Tensor, "H"], tuple[int, ...]]:
    """Choose the images of the seen classes that are tested on.

    Unlike :func:`rezsl.data.held_out.hold_out_samples`, which takes groups until the share is reached, a group is
    passed over that would carry its class further from the share: objects with very many frames stay in training.

    Args:
        index: images of the seen classes.
        labels: class of every image of the folder.
        groups: object of every image of the folder.
        share: of each class's images, in ``[0, 1)``; above 0, a class of two or more groups gives at least one.
        seed: of the order in which a class's groups are considered.

    Returns:
        The chosen part of ``index``, and the classes with a single group, which keep it for training.
    """
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.zeros(len(index), dtype=torch.bool)
    whole = []
    for label in labels[index].unique().tolist():
        members = (labels[index] == label).nonzero().squeeze(1)
        present, counts = groups[index[members]].unique(return_counts=True)
        order = torch.randperm(len(present), generator=generator).tolist()
        if share == 0:
            continue
        if len(present) == 1:
            whole.append(label)
            continue
        taken = _nearest(order, counts.tolist(), share * len(members))
        chosen[members] = torch.isin(groups[index[members]], present[taken])
    return index[chosen], tuple(whole)


def _nearest(order: list[int], counts: list[int], wanted: float) -> list[int]:
    """Positions of groups, in the given order, whose images together come near the wanted number; never all."""
    taken: list[int] = []
    size = 0
    for position in order:
        if len(taken) < len(order) - 1 and abs(size + counts[position] - wanted) < abs(size - wanted):
            taken.append(position)
            size += counts[position]
    return taken or [min(order, key=lambda position: counts[position])]
