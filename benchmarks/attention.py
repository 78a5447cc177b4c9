"""AttentionNet collapsed against its literal form, at the size of CUB with a ResNet-101 at 448 px."""

from collections.abc import Iterator
from functools import partial

import torch
from tests.oracles.literal_attention_torch import LiteralAttentionNet

from benchmarks.timing import Comparison, side_by_side
from rezsl.models import AttentionNet


def measure() -> Iterator[Comparison]:
    """Inference, and a training step (forward and backward)."""
    semantics, channels, regions, width = 312, 2048, 196, 1024
    literal = LiteralAttentionNet(channels, torch.randn(semantics, 300), width).eval()
    collapsed = AttentionNet(channels, torch.randn(semantics, 300), width).eval()
    collapsed.load_state_dict(literal.state_dict())
    for batch in (1, 8):
        images = torch.randn(batch, regions, channels)
        with torch.no_grad():
            expected, got = literal(images), collapsed(images)
            times = side_by_side(partial(literal, images), partial(collapsed, images))
        yield Comparison(f"AttentionNet forward, batch {batch}", *times, relative(got, expected))
    images = torch.randn(32, regions, channels)
    times = side_by_side(lambda: step(literal, images), lambda: step(collapsed, images), rounds=2)
    yield Comparison(
        "AttentionNet forward and backward, batch 32", *times, relative(collapsed(images), literal(images))
    )


def step(network: torch.nn.Module, images: torch.Tensor) -> None:
    """A forward and a backward pass."""
    network.zero_grad()
    network(images).square().mean().backward()


def relative(got: torch.Tensor, expected: torch.Tensor) -> str:
    """Largest difference, relative to the largest value."""
    return f"{float((got - expected).abs().max() / expected.abs().max()):.1e} relative"
