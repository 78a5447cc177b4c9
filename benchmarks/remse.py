"""A step of ReMSE against the literal loops, at the size of CUB's training classes."""

from collections.abc import Iterator

import torch
from tests.oracles import remse as oracle

from benchmarks.timing import Comparison, side_by_side
from rezsl.losses import ReMSELoss


def measure() -> Iterator[Comparison]:
    """Value and gradient of a batch of 32 out of 150 classes with 312 semantics; the loops are NumPy in float64."""
    labels = torch.randint(150, (32,))
    prediction, target = torch.randn(32, 312), torch.rand(150, 312)[labels]
    loss, literal = ReMSELoss(1.0, 0.1), oracle.ReMSE(class_power=1.0, semantic_power=0.1)
    arrays = (prediction.double().numpy(), target.double().numpy(), labels.numpy())

    def ours() -> torch.Tensor:
        leaf = prediction.clone().requires_grad_()
        value: torch.Tensor = loss(leaf, target, labels)
        value.backward()
        return value.detach()

    expected, _ = literal(*arrays)
    times = side_by_side(lambda: literal(*arrays), ours, rounds=20)
    yield Comparison("ReMSE step, 150 × 312, batch 32", *times, f"{abs(float(ours()) / expected - 1):.1e} relative")
