"""Activations that are computed again when gradients are taken, instead of being kept until then.

Chen et al., *Training deep nets with sublinear memory cost* (2016). Memory for about a third more computing.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any, TypeVar

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from rezsl.errors import ArgumentError

Output = TypeVar("Output")


def recomputed(function: Callable[..., Output], network: nn.Module, *args: Any, **options: Any) -> Output:
    """``function(*args, **options)``, of which only the arguments are kept until gradients are taken.

    Random numbers are the same the second time, and running statistics of batch normalisation only move the first time.

    Args:
        function: computes with ``network``.
        network: where batch normalisation is looked for.
        args: of the function.
        options: of the function.
    """

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _without_statistics(network)

    output: Output = checkpoint(function, *args, use_reentrant=False, context_fn=contexts, **options)
    return output


@contextmanager
def recomputed_blocks(network: nn.Module) -> Iterator[None]:
    """Within it, each block of a network of transformers keeps what it is given, and nothing of what it computes.

    The network itself sees the whole batch, batch normalisation included.
    """
    found = blocks(network)
    for block in found:
        # On the instance, so that hooks around the block are called once.
        block.forward = partial(recomputed, block.forward, block)
    try:
        yield
    finally:
        for block in found:
            del block.forward


def blocks(network: nn.Module) -> list[nn.Module]:
    """The layers of a transformer, or the residual blocks of a convolutional network's stages.

    Raises:
        ArgumentError: an architecture whose blocks are not known.
    """
    from transformers.modeling_layers import GradientCheckpointingLayer  # noqa: PLC0415 - seconds of import

    found: list[nn.Module] = [module for module in network.modules() if isinstance(module, GradientCheckpointingLayer)]
    stages = (getattr(module, "layers", None) for module in network.modules())
    found = found or [block for stage in stages if isinstance(stage, nn.ModuleList | nn.Sequential) for block in stage]
    if not found:
        raise ArgumentError(
            f"recompute: expected a backbone whose blocks are known, got {type(network).__name__}; leave it out, and "
            f"take batches in parts instead (batches.micro)"
        )
    return found


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
