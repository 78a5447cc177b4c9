"""Two real processes in a loop of one's own: what is counted, drawn and remembered over them."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from rezsl.data import BatchSampler, EpisodicBatches, ShuffledBatches
from rezsl.errors import ArgumentError
from rezsl.evaluation import GZSLEvaluator
from rezsl.functional import class_scores
from rezsl.losses import ReMSELoss
from rezsl.semantics import ClassSemantics
from tests.processes import found_by

pytestmark = pytest.mark.slow

PROCESSES = 2


def evaluator() -> GZSLEvaluator:
    generator = torch.Generator().manual_seed(1)
    table = ClassSemantics(tuple("abcde"), ("x", "y", "z"), torch.rand(5, 3, generator=generator) + 0.1)
    return GZSLEvaluator(table, tuple("abcde"), ["a", "b", "c"], partial(class_scores, scale=20.0))


def samples() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    labels = torch.arange(60) % 5
    return evaluator().values[labels] + 0.3 * torch.randn(60, 3, generator=generator), labels


def samplers() -> list[BatchSampler]:
    index, labels = torch.arange(50), torch.arange(50) % 5
    return [
        ShuffledBatches(index, 8, seed=0),  # seven batches
        ShuffledBatches(index, 7, seed=0),  # the last two batches are joined
        EpisodicBatches(index, labels, ways=3, shots=2, count=5, seed=0),
    ]


OPTIONS: list[dict[str, Any]] = [
    {"memory": "batch"},
    {"memory": "running", "unit_mean": True},
    {"memory": "ema", "error": "root", "semantic_power": 0.5},
    {"memory": "ema", "error": "absolute", "weights_from": "error", "normalize": False},
]


def remse_steps(options: dict[str, Any], rank: int | None = None) -> dict[str, Any]:
    """Twenty steps with batches of 9 samples: all of them in one process, or this one's part with DDP."""
    torch.manual_seed(0)
    loss = ReMSELoss(**options, process_group=None if rank is None else "world")
    linear = nn.Linear(3, 3).double()
    network = linear if rank is None else DistributedDataParallel(linear)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    predictions, labels = samples()
    values = []
    for step in range(20):
        batch = torch.randperm(60, generator=torch.Generator().manual_seed(step))[:9]
        # Unequal parts, in which neither process meets every class.
        part = batch if rank is None else batch.sort().values.split([6, 3])[rank]
        value = loss(network(predictions[part].double()), evaluator().values[labels[part]].double(), labels[part])
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(value.item())
    gradient = linear.weight.grad
    assert gradient is not None
    return {"values": values, "weight": linear.weight.detach(), "gradient": gradient, "state": loss.state_dict()}


def work(rank: int, folder: Path) -> dict[str, Any]:
    """One process: its share of the samples, the batches it draws, and what its loss remembers."""
    measured = evaluator()
    predictions, labels = samples()
    # Unequal shares, in which neither process meets every class.
    mine = (labels >= 2) == bool(rank)
    for part in mine.nonzero().squeeze(1).split(7):
        measured.update(predictions[part], labels[part])
    result = measured.result(0.4)
    return {
        "metrics": result.metrics(),
        "classes": result.classes,
        "class_accuracy": result.class_accuracy,
        "matrix": result.error_matrix,
        "batches": [list(sampler) for sampler in samplers()],
        "lengths": [len(sampler) for sampler in samplers()],
        "losses": [remse_steps(options, rank) for options in OPTIONS],
    }


def test_two_processes_find_what_one_finds(tmp_path: Path) -> None:
    found: list[dict[str, Any]] = found_by(work, tmp_path, PROCESSES)
    alone = evaluator()
    alone.update(*samples())
    whole = alone.result(0.4)
    for process in found:
        for name, value in whole.metrics().items():
            torch.testing.assert_close(process["metrics"][name], value, rtol=1e-9, atol=0, equal_nan=True, msg=name)
        assert process["classes"] == whole.classes
        torch.testing.assert_close(process["class_accuracy"], whole.class_accuracy)
        torch.testing.assert_close(process["matrix"], whole.error_matrix)
    for number, sampler in enumerate(samplers()):
        drawn = [process["batches"][number] for process in found]
        assert {process["lengths"][number] for process in found} == {len(sampler)}  # or one would wait for ever
        for parts, batch, size in zip(zip(*drawn, strict=True), sampler, sampler.sizes, strict=True):
            assert [sample for part in parts for sample in part] == batch
            assert len(batch) == size
            assert max(map(len, parts)) - min(map(len, parts)) <= 1
    for number, options in enumerate(OPTIONS):
        expected = remse_steps(options)
        for process in found:
            torch.testing.assert_close(process["losses"][number], expected, rtol=1e-10, atol=1e-12, equal_nan=True)


@pytest.mark.usefixtures("unchecked")
def test_the_group_of_a_loss_is_checked() -> None:
    assert ReMSELoss(process_group="world").process_group == "world"
    with pytest.raises(ArgumentError, match=r"process_group: expected 'world', a group of torch\.distributed, or None"):
        ReMSELoss(process_group="all")  # type: ignore[arg-type]
