"""``python -m benchmarks.compiled``: training steps with and without ``torch.compile``, after the compilation.

It needs a C++ compiler. One thread computes, and the processor's clock counts; the compilation has the wall's clock.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.rows import heading, to_json, to_markdown
from benchmarks.timing import Comparison, processor_medians
from rezsl import ClassSemantics
from rezsl.losses import Objective, ReMSELoss
from rezsl.models import AttentionNet, MLPRegressor

CLASSES, ATTRIBUTES, BATCH = 150, 312, 32


def measure() -> Iterator[Comparison]:
    """A step of AttentionNet, one of an MLP, each with ReMSE and cross-entropy, and ReMSE alone."""
    classes, attributes = (tuple(map(str, range(count))) for count in (CLASSES, ATTRIBUTES))
    table, labels = torch.rand(CLASSES, ATTRIBUTES), torch.randint(CLASSES, (BATCH,))
    semantics = ClassSemantics(classes, attributes, table, word_vectors=torch.randn(ATTRIBUTES, 300))
    objective, remse = Objective(table, ReMSELoss()), ReMSELoss()

    def total(network: nn.Module, inputs: Tensor) -> Tensor:
        found: Tensor = objective(network(inputs), labels).total
        return found

    for regions, channels in ((196, 2048), (257, 384)):
        attention = AttentionNet(channels, semantics, output_init="uniform")
        inputs = torch.randn(BATCH, regions, channels)
        yield compared(f"AttentionNet, {regions} × {channels}", attention, partial(total, attention, inputs))
    for channels in (640, 2048):
        # With dropout the two would draw different random numbers.
        perceptron = MLPRegressor(channels, semantics, hidden_dim=1024, dropout=0.0)
        inputs = torch.randn(BATCH, channels)
        yield compared(f"MLP, {channels} features", perceptron, partial(total, perceptron, inputs))
    values = nn.ParameterList([torch.randn(BATCH, ATTRIBUTES)])
    yield compared("ReMSE alone", values, lambda: remse(values[0], table[labels], labels))


def compared(what: str, module: nn.Module, value: Callable[[], Tensor]) -> Comparison:
    """Measure value and gradient without and with compilation."""
    torch._dynamo.reset()
    compiled = torch.compile(value)

    def step(of: Callable[[], Tensor]) -> tuple[Tensor, Tensor]:
        module.zero_grad()
        found = of()
        found.backward()
        return found.detach(), torch.cat([one.grad.flatten() for one in module.parameters() if one.grad is not None])

    started = time.perf_counter()
    got, expected = step(compiled), step(value)
    seconds = time.perf_counter() - started
    loss, gradient = (float((a - b).abs().max() / b.abs().max()) for a, b in zip(got, expected, strict=True))
    times = processor_medians(partial(step, value), partial(step, compiled), rounds=21)
    difference = f"loss {loss:.0e}, gradients {gradient:.0e}, {seconds:.0f} s of compilation"
    return Comparison(f"step of {what}", times[0], times[1], difference)


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(0)
    found = list(measure())
    print(heading(), to_markdown(found), to_json(found), sep="\n\n")
