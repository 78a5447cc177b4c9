"""What AttentionNet costs beside the products of matrices that it cannot do without, and the share of ReMSE in a step.

All is computed by one thread and timed by the processor's clock, so that other programs of the machine count little.
"""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import torch

from benchmarks.timing import Comparison, one_thread, processor_medians
from rezsl.losses import ReMSELoss
from rezsl.models import AttentionNet

CLASSES = 150


class Size(NamedTuple):
    """Sizes of a head and its batch: S, D, R, the width of queries, keys and values, and B."""

    attributes: int
    channels: int
    regions: int
    width: int
    batch: int


PAPER = [Size(312, 2048, 196, 1024, batch) for batch in (8, 32)]
DEFAULTS = [Size(312, 2048, 196, 64, 8), Size(312, 2048, 196, 64, 32), Size(312, 768, 197, 64, 32)]


def measure() -> Iterator[Comparison]:
    """Forward passes, and forward and backward passes, each beside its bare products; then ReMSE beside a step."""
    with one_thread():
        for size in (*PAPER, *DEFAULTS):
            yield from Head(size).rows()


class Head:
    """AttentionNet at one size, its bare products, and ReMSE.

    The images need no gradient, as regions of a frozen backbone. The bare products of images are F (Q, G)ᵀ and the
    gradient of (Q, G); those of parameters are Q = q W_k, G = P W_o W_v and the gradients of their factors.
    """

    def __init__(self, size: Size) -> None:
        self.size = size
        attributes, channels, regions, width, batch = size
        self.network = AttentionNet(channels, torch.randn(attributes, 300), width, output_init="uniform")
        self.images = torch.randn(batch, regions, channels)
        self.projection = torch.randn(2 * attributes, channels, requires_grad=True)
        self.of_products = torch.randn(batch, regions, 2 * attributes)
        shapes = ((attributes, width), (width, channels), (attributes, channels), (channels, width), (width, channels))
        self.factors = [torch.randn(shape, requires_grad=True) for shape in shapes]
        self.of_factors = torch.randn(attributes, channels)
        self.labels, self.loss = torch.randint(CLASSES, (batch,)), ReMSELoss()
        self.target = torch.rand(CLASSES, attributes)[self.labels]

    def rows(self) -> Iterator[Comparison]:
        """Return the rows of this size."""
        attributes, channels, regions, width, batch = self.size
        sizes = f"{attributes} × {channels} × {regions}, width {width}, batch {batch}"
        bare, whole = processor_medians(self.image_products, torch.no_grad()(partial(self.network.eval(), self.images)))
        yield Comparison(f"products of images, and inference of AttentionNet, {sizes}", bare, whole, "–")
        self.network.train()
        ours = processor_medians(self.image_step, self.every_step, self.step, self.remse)
        images, both, whole, remse = ours
        yield Comparison(f"products of images, and step of AttentionNet, {sizes}", images, whole, "–")
        yield Comparison(f"products of images and parameters, and step of AttentionNet, {sizes}", both, whole, "–")
        share = f"{remse / (whole + remse):.2%} of both"
        yield Comparison(f"ReMSE, and step of AttentionNet, {sizes}", remse, whole, share)

    @torch.no_grad()
    def image_products(self) -> None:
        """The two products of inference."""
        self.images @ self.projection.T

    def image_step(self) -> None:
        """The products of images, forward and backward."""
        self.projection.grad = None
        (self.images @ self.projection.T).backward(self.of_products)

    def every_step(self) -> None:
        """Those, and the products of parameters."""
        self.image_step()
        for factor in self.factors:
            factor.grad = None
        query, key, readout, output, value = self.factors
        torch.autograd.backward([query @ key, readout @ output @ value], [self.of_factors] * 2)

    def step(self) -> None:
        """A forward and a backward pass of AttentionNet."""
        self.network.zero_grad()
        self.network(self.images).square().mean().backward()

    def remse(self) -> None:
        """Value and gradient of ReMSE."""
        prediction = torch.randn(self.target.shape, requires_grad=True)
        self.loss(prediction, self.target, self.labels).backward()
