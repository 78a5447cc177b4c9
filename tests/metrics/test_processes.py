"""Two real processes: what is counted, drawn and remembered over them."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, distributed, nn
from torch.multiprocessing.spawn import spawn
from torch.nn.parallel import DistributedDataParallel

from rezsl.data import BatchSampler, EpisodicBatches, ShuffledBatches
from rezsl.evaluation import GZSLEvaluator
from rezsl.functional import class_scores
from rezsl.losses import ReMSELoss
from rezsl.semantics import ClassSemantics

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
        ShuffledBatches(index, 50, seed=0),  # one
        EpisodicBatches(index, labels, ways=3, shots=2, count=5, seed=0),
    ]


def work(rank: int, folder: Path) -> None:
    """One process: its share of the samples, the batches it draws, and what its loss remembers."""
    distributed.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=PROCESSES)
    measured = evaluator()
    predictions, labels = samples()
    # Unequal shares, in which neither process meets every class.
    mine = (labels >= 2) == bool(rank)
    for part in mine.nonzero().squeeze(1).split(7):
        measured.update(predictions[part], labels[part])
    result = measured.result(0.4)
    loss = ReMSELoss(memory="ema")
    network = DistributedDataParallel(nn.Linear(3, 3))
    network.register_module("loss", loss)
    for _ in range(2):
        loss(network(predictions[mine]), evaluator().values[labels[mine]], labels[mine]).backward()
    weight = network.module.weight
    found = {
        "metrics": result.metrics(),
        "classes": result.classes,
        "class_accuracy": result.class_accuracy,
        "matrix": result.error_matrix,
        "batches": [list(sampler) for sampler in samplers()],
        "lengths": [len(sampler) for sampler in samplers()],
        "remembered": (~loss.error_memory.isnan().any(dim=1)).nonzero().squeeze(1).tolist(),
        "gradient": weight.grad,
    }
    torch.save(found, folder / f"{rank}.pt")
    distributed.destroy_process_group()


def test_two_processes_find_what_one_finds(tmp_path: Path) -> None:
    spawn(work, (tmp_path,), nprocs=PROCESSES)
    found: list[dict[str, Any]] = [torch.load(tmp_path / f"{rank}.pt") for rank in range(PROCESSES)]
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
        steps = {len(batches) for batches in drawn} | {process["lengths"][number] for process in found}
        assert steps == {-(-len(sampler) // PROCESSES)}  # as many in each, or one would wait for ever
        # Together they are the epoch of a single process, the first batches once more where they do not come out even.
        expected = list(sampler)
        assert [batch for pair in zip(*drawn, strict=True) for batch in pair][: len(expected)] == expected
    # The loss remembers what its own process has met; only gradients are averaged.
    assert [process["remembered"] for process in found] == [[0, 1], [2, 3, 4]]
    torch.testing.assert_close(found[0]["gradient"], found[1]["gradient"])
