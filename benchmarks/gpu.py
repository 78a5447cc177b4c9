"""``python -m benchmarks gpu``: what needs a GPU, the training step at full size and its scaling over several."""

import os
import socket
import sys
import time
from typing import Any

import torch
from torch import distributed, multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

from rezsl.losses import Objective, ReMSELoss
from rezsl.models import AttentionNet

IMAGE_SIZE, BATCH, WARM, STEPS = 448, 32, 3, 20


def main() -> None:
    """Print the table of :mod:`benchmarks.full_size`, then images per second on 1, 2, 4, … GPUs in bfloat16."""
    if not torch.cuda.is_available():
        print("no GPU: PyTorch finds no CUDA device, so there is nothing to measure; run this on a machine with one")
        return
    from benchmarks import full_size  # noqa: PLC0415 - it needs packages that the line above does without

    sys.argv[1:] = []
    full_size.main()
    count, single = torch.cuda.device_count(), 0.0
    print("\n| GPUs | images/s in bfloat16 | share of n × one |\n|---|---|---|")
    for world in [2**power for power in range(count.bit_length())]:
        speed = throughput(world)
        single = single or speed
        print(f"| {world} | {speed:,.0f} | {100 * speed / (world * single):.0f} % |")


def throughput(world: int) -> float:
    """Return images per second of a training step on several GPUs, a batch of 32 on each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    seconds = multiprocessing.get_context("spawn").SimpleQueue()
    start: Any = multiprocessing.spawn  # type: ignore[attr-defined]
    start(_train, (world, seconds), nprocs=world)
    return world * BATCH * STEPS / float(seconds.get())


def _train(rank: int, world: int, seconds: "multiprocessing.SimpleQueue[float]") -> None:
    from benchmarks.full_size import ATTENTION_DIM, CLASSES, SEMANTICS, resnet101  # noqa: PLC0415 - as above

    torch.cuda.set_device(rank)
    distributed.init_process_group("nccl", rank=rank, world_size=world)
    backbone = resnet101(IMAGE_SIZE)
    head = AttentionNet(backbone.region_dim, torch.randn(SEMANTICS, 300), ATTENTION_DIM)
    network = DistributedDataParallel(nn.Sequential(backbone, head).cuda().train())
    objective = Objective(torch.rand(CLASSES, SEMANTICS) + 0.1, ReMSELoss(process_group="world"), 0.25).cuda()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-6, momentum=0.9)
    images = torch.randint(256, (BATCH, 3, IMAGE_SIZE, IMAGE_SIZE), dtype=torch.uint8, device="cuda")
    labels = torch.arange(BATCH, device="cuda") // 2
    started = 0.0
    for step in range(WARM + STEPS):
        if step == WARM:
            torch.cuda.synchronize()
            started = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.bfloat16):
            prediction = network(images)
        objective(prediction.float(), labels).total.backward()
        optimizer.step()
    torch.cuda.synchronize()
    if rank == 0:
        seconds.put(time.perf_counter() - started)
    distributed.destroy_process_group()
