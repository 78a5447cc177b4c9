"""A batch through a network in parts, for a loss that must see it whole."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from rezsl.regions import recomputed


def forward_in_parts(
    function: Callable[..., tuple[Tensor, ...]], network: nn.Module, inputs: tuple[Tensor, ...], size: int
) -> tuple[Tensor, ...]:
    """``function(*inputs)``, with the activations of at most ``size`` samples in memory at a time.

    Each part is computed without keeping its activations; when gradients are taken, parts are computed again one after
    the other. So whatever loss is put on the result has the gradient of the whole batch. Batch normalisation sees
    parts, not the batch, as it does in any gradient accumulation; its running statistics are updated once.

    Args:
        function: from tensors with a row per sample to tensors with a row per sample.
        network: what it computes with.
        inputs: each ``[B, …]``.
        size: samples per part; 0 means all.
    """
    if not size or len(inputs[0]) <= size or not torch.is_grad_enabled():
        return function(*inputs)

    parts = [
        recomputed(function, network, *part) for part in zip(*(tensor.split(size) for tensor in inputs), strict=True)
    ]
    return tuple(map(torch.cat, zip(*parts, strict=True)))
