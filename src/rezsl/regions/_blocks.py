"""The blocks of a vision network: computed again for the gradients, or trained from one of them on."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, TypeVar

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from rezsl.errors import ArgumentError

Output = TypeVar("Output")


def recomputed(function: Callable[..., Output], network: nn.Module, *args: Any, **options: Any) -> Output:
    """Return ``function(*args, **options)`` and store only the arguments for the gradients.

    This is gradient checkpointing (Chen et al., *Training deep nets with sublinear memory cost*, 2016). It saves memory
    and takes about a third more computation, because activations are computed a second time for the gradients.

    The second computation draws the same random numbers, and it does not change the running statistics of the batch
    normalisation in ``network``, with which the function computes, again.
    """
    output: Output = checkpoint(
        function,
        *args,
        use_reentrant=False,
        context_fn=lambda: (nullcontext(), _without_statistics(network)),
        **options,
    )
    return output


@contextmanager
def recomputed_blocks(network: nn.Module) -> Iterator[None]:
    """Inside the block, store only the inputs of each of the network's blocks for the gradients.

    The network still processes the whole batch at once, so that batch normalisation is unchanged.
    """
    found = blocks(network)
    for block in found:
        # The method is replaced on the instance, so that hooks around the block are called once.
        block.forward = partial(recomputed, block.forward, block)
    try:
        yield
    finally:
        for block in found:
            del block.forward


def blocks(network: nn.Module) -> list[nn.Module]:
    """Return the layers of a transformer, or the residual blocks of the stages of a convolutional network.

    Raises:
        ArgumentError: the blocks of this architecture are not known.
    """
    from transformers.modeling_layers import GradientCheckpointingLayer  # noqa: PLC0415 - it takes seconds

    found: list[nn.Module] = [module for module in network.modules() if isinstance(module, GradientCheckpointingLayer)]
    found = found or _children(network, "layers") or _children(network, "blocks")
    found = found or [block for stage in _stages_of_timm(network) for block in stage.children()]
    if not found:
        raise ArgumentError(
            f"backbone: expected a network whose blocks are known, got {type(network).__name__}; leave out "
            f"batches.recompute (batches.micro saves memory too), and set trainable_stages to 0 or null"
        )
    return found


def stages(network: nn.Module) -> list[nn.Module]:
    """Return the stages of a convolutional network that has them, otherwise its blocks or layers.

    Raises:
        ArgumentError: the blocks of this architecture are not known.
    """
    return _children(network, "stages") or _stages_of_timm(network) or blocks(network)


def _stages_of_timm(network: nn.Module) -> list[nn.Module]:
    """Return the stages of a ResNet of timm; of another network none."""
    return [child for name, child in network.named_modules() if re.fullmatch(r"timm_model\.layer\d", name)]


def _children(network: nn.Module, name: str) -> list[nn.Module]:
    """Return the modules in all lists of a name, in their order."""
    lists = (getattr(module, name, None) for module in network.modules())
    return [child for found in lists if isinstance(found, nn.ModuleList | nn.Sequential) for child in found]


@contextmanager
def _without_statistics(network: nn.Module) -> Iterator[None]:
    """Normalise by the statistics of the batch without changing the running statistics."""
    layers = [layer for layer in network.modules() if isinstance(layer, _BatchNorm) and layer.training]
    before = [(layer.momentum, layer.num_batches_tracked) for layer in layers]
    for layer in layers:
        layer.momentum, layer.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for layer, kept in zip(layers, before, strict=True):
            layer.momentum, layer.num_batches_tracked = kept
