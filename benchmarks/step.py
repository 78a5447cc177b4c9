"""What a training step of AttentionNet costs beside its two products, and the share of ReMSE in it."""

from collections.abc import Iterator

import torch

from benchmarks.timing import Comparison, side_by_side
from rezsl.losses import ReMSELoss
from rezsl.models import AttentionNet

ATTRIBUTES, CHANNELS, REGIONS, WIDTH, CLASSES = 312, 2048, 196, 1024, 150


def measure() -> Iterator[Comparison]:
    """Forward and backward of the collapsed form beside those of its two products; then a step beside its ReMSE."""
    network = AttentionNet(CHANNELS, torch.randn(ATTRIBUTES, 300), WIDTH)
    table, loss = torch.rand(CLASSES, ATTRIBUTES), ReMSELoss()
    for batch in (8, 32):
        images, labels = torch.randn(batch, REGIONS, CHANNELS), torch.randint(CLASSES, (batch,))
        projection = torch.randn(2 * ATTRIBUTES, CHANNELS, requires_grad=True)

        def products(images: torch.Tensor = images, projection: torch.Tensor = projection) -> None:
            (images @ projection.T).sum().backward()

        def step(images: torch.Tensor = images) -> None:
            network.zero_grad()
            network(images).square().mean().backward()

        def remse(labels: torch.Tensor = labels) -> None:
            prediction = torch.randn(len(labels), ATTRIBUTES, requires_grad=True)
            loss(prediction, table[labels], labels).backward()

        what = f"two products, forward and backward, against those of AttentionNet, batch {batch}"
        yield Comparison(what, *side_by_side(products, step, rounds=5), "–")
        yield Comparison(f"step of AttentionNet against ReMSE alone, batch {batch}", *side_by_side(step, remse), "–")
