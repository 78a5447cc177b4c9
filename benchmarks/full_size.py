"""``python -m benchmarks.full_size``: extraction and training at the paper's size on a GPU, in small on a CPU."""

import argparse
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from tests.oracles.literal_attention_torch import LiteralAttentionNet
from torch import Tensor, nn
from transformers import ResNetConfig

from rezsl import extract_regions
from rezsl.data import Benchmark, Split
from rezsl.losses import Objective, ReMSELoss
from rezsl.models import AttentionNet
from rezsl.regions import ImageBackbone
from rezsl.semantics import ClassSemantics
from rezsl.training._step import forward_in_parts

SEMANTICS, CLASSES, ATTENTION_DIM = 312, 150, 1024
"""CUB's attributes and seen classes, and the width of the attention there."""


class Size(NamedTuple):
    """How large everything is: images in pixels, images per batch, photos to extract, repetitions of each step."""

    image_size: int
    batch: int
    photos: int
    rounds: int


ON_GPU, ON_CPU = Size(448, 32, 1024, 10), Size(128, 4, 64, 3)


class Row(NamedTuple):
    """A line of the table."""

    what: str
    speed: str
    memory: str


def main() -> None:
    """Measure everything on one device and print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    for name, meaning in (("image-size", "pixels"), ("batch", "images"), ("photos", "to extract"), ("rounds", "timed")):
        options.add_argument(f"--{name}", type=int, help=f"{meaning} (default: the paper's on a GPU, few on a CPU)")
    arguments = options.parse_args()
    device = torch.device(arguments.device)
    default = ON_GPU if device.type == "cuda" else ON_CPU
    size = Size(*(getattr(arguments, name) or getattr(default, name) for name in Size._fields))
    torch.manual_seed(0)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{platform.machine()} CPU"
    precision = "bfloat16" if device.type == "cuda" else "float32"
    table = Table(box=SIMPLE_HEAD)
    for column in ("what", "speed", "peak memory"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for row in [*extraction(size, device), *training(size, device), remse(size, device)]:
        table.add_row(*row)
    print(f"{name}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"ResNet-101 with random weights at {size.image_size} px, batch {size.batch}, training in {precision}")
    Console().print(table)
    if device.type != "cuda":
        print("no GPU: small sizes in float32, and no figure for memory; on a GPU the same command measures the rest")


def resnet101(image_size: int) -> ImageBackbone:
    """The backbone of the paper's experiments, untrained."""
    return ImageBackbone(ResNetConfig(depths=[3, 4, 23, 3]).to_dict(), image_size)


def extraction(size: Size, device: torch.device) -> Iterator[Row]:
    """Photos as JPEG files of 500 × 375 pixels to a store on the disk; the forward pass alone beside it."""
    backbone = resnet101(size.image_size).eval().to(device)
    images = torch.randint(256, (size.batch, 3, size.image_size, size.image_size), dtype=torch.uint8, device=device)
    with torch.inference_mode():
        seconds, memory = measured(lambda: backbone(images), size.rounds, device)
    yield Row("backbone alone, forward in float32", f"{size.batch / seconds:,.1f} images/s", memory)
    with tempfile.TemporaryDirectory() as folder:
        data, store = photos(Path(folder), size.photos), Path(folder) / "store"
        started = time.perf_counter()
        # Untrained activations are too large for float16.
        extract_regions(data, backbone, store, "bfloat16", 512, size.batch, device=str(device), progress=False)
        seconds = time.perf_counter() - started
    yield Row("rezsl extract, from JPEG files to the disk", f"{size.photos / seconds:,.1f} images/s", "")


def photos(folder: Path, count: int) -> Benchmark:
    """Noise, enlarged to blobs as photos have them, of two classes."""
    random = np.random.default_rng(0)
    paths = [folder / f"{number:05d}.jpg" for number in range(count)]
    for path in paths:
        small = Image.fromarray(random.integers(0, 256, (24, 32, 3), dtype=np.uint8))
        small.resize((500, 375), Image.Resampling.BICUBIC).save(path, quality=90)
    semantics = ClassSemantics(("a", "b", "unseen"), ("x", "y", "z"), torch.eye(3))
    index = torch.arange(count)
    return Benchmark("photos", paths, index % 2, semantics, Split(index))


class Case(NamedTuple):
    """A training step: of which network, on what, and how memory is spared (see :class:`rezsl.training.Batches`)."""

    what: str
    network: nn.Module
    inputs: Tensor
    micro: int = 0
    recompute: bool = False


def training(size: Size, device: torch.device) -> Iterator[Row]:
    """Steps of the whole network with either head, then in parts, then of the heads alone on regions."""
    backbone = resnet101(size.image_size).to(device)
    literal = LiteralAttentionNet(backbone.region_dim, torch.randn(SEMANTICS, 300), ATTENTION_DIM).to(device)
    collapsed = AttentionNet(backbone.region_dim, torch.randn(SEMANTICS, 300), ATTENTION_DIM).to(device)
    collapsed.load_state_dict(literal.state_dict())
    images = torch.randint(256, (size.batch, 3, size.image_size, size.image_size), dtype=torch.uint8, device=device)
    with torch.no_grad():
        regions = backbone(images)
    part = max(1, size.batch // 4)
    whole = nn.Sequential(backbone, collapsed)
    cases = [
        Case("training step, literal head", nn.Sequential(backbone, literal), images),
        Case("training step, collapsed head", whole, images),
        Case("the same, blocks computed again", whole, images, recompute=True),
        Case(f"the same, {part} images at a time", whole, images, micro=part),
        Case("step of the literal head alone, on regions", literal, regions),
        Case("step of the collapsed head alone, on regions", collapsed, regions),
    ]
    # In turns, and each time with an optimizer of its own: whatever slows the machine, and no state but a case's own.
    costs = [[step_cost(case, size.rounds, device) for case in cases] for _ in range(2)]
    for case, *found in zip(cases, *costs, strict=True):
        yield Row(case.what, f"{1e3 * min(seconds for seconds, _ in found):,.1f} ms", found[0][1])


def remse(size: Size, device: torch.device) -> Row:
    """Value and gradient of ReMSE, which every training step contains."""
    table, labels = (torch.rand(CLASSES, SEMANTICS) + 0.1).to(device), torch.arange(size.batch, device=device) // 2
    loss, prediction = ReMSELoss(), torch.randn(size.batch, SEMANTICS, device=device, requires_grad=True)
    seconds, memory = measured(lambda: loss(prediction, table[labels], labels).backward(), 10 * size.rounds, device)
    return Row("ReMSE in one of these steps", f"{1e3 * seconds:,.2f} ms", memory)


def step_cost(case: Case, rounds: int, device: torch.device) -> tuple[float, str]:
    """Time and memory of a step: forward, cross-entropy and ReMSE, backward, SGD with momentum."""
    objective = Objective(torch.rand(CLASSES, SEMANTICS) + 0.1, ReMSELoss(), 0.25).to(device)
    labels = torch.arange(len(case.inputs), device=device) // 2
    network = case.network.train()
    for part in network.children():
        if isinstance(part, ImageBackbone):
            part.recompute(case.recompute)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-6, momentum=0.9)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" else nullcontext():
            (prediction,) = forward_in_parts(lambda part: (network(part),), network, (case.inputs,), case.micro)
        objective(prediction.float(), labels).total.backward()
        optimizer.step()

    cost = measured(step, rounds, device)
    optimizer.zero_grad(set_to_none=True)
    return cost


def measured(call: Callable[[], object], rounds: int, device: torch.device) -> tuple[float, str]:
    """Shortest time of a call after one to warm up, in seconds, and the most memory of the GPU that it took."""
    call()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    seconds = min(timed(call, device) for _ in range(rounds))
    memory = f"{torch.cuda.max_memory_allocated(device) / 2**20:,.0f} MiB" if device.type == "cuda" else "–"
    return seconds, memory


def timed(call: Callable[[], object], device: torch.device) -> float:
    """Seconds that a call takes, what it left to the GPU to do included."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
