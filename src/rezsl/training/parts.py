"""A batch through a network in parts, for a loss that must see it whole."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


def forward_in_parts(
    function: Callable[..., tuple[Tensor, ...]], network: nn.Module, inputs: tuple[Tensor, ...], size: int
) -> tuple[Tensor, ...]:
    """``function(*inputs)``, with the activations of at most ``size`` samples in memory at a time.

    Each part is computed without keeping its activations; when gradients are taken, parts are computed again one after
    the other (Chen et al., Training deep nets with sublinear memory cost, 2016), with the same random numbers. So
    whatever loss is put on the result has the gradient of the whole batch. Batch normalisation sees parts, not the
    batch, as it does in any gradient accumulation; its running statistics are updated once.

    Args:
        function: from tensors with a row per sample to tensors with a row per sample.
        network: what it computes with.
        inputs: each ``[B, …]``.
        size: samples per part; 0 means all.
    """
    if not size or len(inputs[0]) <= size or not torch.is_grad_enabled():
        return function(*inputs)

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _without_statistics(network)

    parts = [
        checkpoint(function, *part, use_reentrant=False, context_fn=contexts)
        for part in zip(*(tensor.split(size) for tensor in inputs), strict=True)
    ]
    return tuple(map(torch.cat, zip(*parts, strict=True)))


@contextmanager
def _without_statistics(network: nn.Module) -> Iterator[None]:
    """Batch normalisation by the batch's own figures, its running ones moved by nothing."""
    layers = [layer for layer in network.modules() if isinstance(layer, _BatchNorm) and layer.training]
    before = [
        (layer.momentum, layer.num_batches_tracked.clone() if layer.num_batches_tracked is not None else None)
        for layer in layers
    ]
    for layer in layers:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, (momentum, count) in zip(layers, before, strict=True):
            layer.momentum, layer.num_batches_tracked = momentum, count
