"""``rezsl extract``: run a backbone over a benchmark's images once, for any number of trainings."""

from collections.abc import Callable
from pathlib import Path

import torch
from jsonargparse import ArgumentParser, Namespace
from torch import Tensor

from rezsl.cli._options import advice_when_interrupted, instantiate, show
from rezsl.cli._parser import new_parser
from rezsl.cli.choices import Benchmark
from rezsl.data import natural_size
from rezsl.errors import ArgumentError, renamed
from rezsl.launchers import started_processes
from rezsl.regions import ImageBackbone, extract_regions


def parser() -> ArgumentParser:
    """Return the parser."""
    options = new_parser("extract")
    options.add_argument("--data", type=Benchmark, required=True)
    options.add_argument("--backbone", type=Callable[[int, int], ImageBackbone], required=True)
    options.add_argument("-o", "--output", type=Path, required=True)
    others: set[str | int] = {"benchmark", "backbone", "directory", "shard", "progress"}
    options.add_function_arguments(extract_regions, skip=others)
    options.add_argument("--shard", type=str, default="1/1")
    options.add_argument("--seed", type=int, default=0)
    return options


def run(options: ArgumentParser, settings: Namespace) -> None:
    """Write the store, or the chunks that it lacks."""
    shard, number = _own_part(settings.shard)
    arguments = instantiate(options, settings)
    data: Benchmark = arguments.data
    if number == 0:
        show(f"{data.name}: {data.contents}")
    if data.kind == "features":
        raise ArgumentError(
            f"--data: expected a benchmark of images, got features ({data.contents}); fit them as they are"
        )
    channels = data.inputs.shape[1] if isinstance(data.inputs, Tensor) else 3
    # Random weights must be the same when an interrupted extraction goes on, and in every shard.
    torch.manual_seed(settings.seed)
    backbone = arguments.backbone(channels, natural_size(data.inputs))
    if data.value_range is not None:
        backbone.read_values(data.value_range)
    with advice_when_interrupted("the same command goes on where this one stopped"), renamed(directory="output"):
        manifest = extract_regions(
            data, backbone, settings.output, settings.dtype, settings.chunk, settings.batch_size, shard,
            settings.device, progress=number == 0,
        )  # fmt: skip
    size = manifest.count * manifest.row_bytes / 2**20
    part = "" if shard == (0, 1) else f"shard {shard[0] + 1}/{shard[1]} of "
    if number:
        show(f"{part}{settings.output} is written")
        return
    shape = " × ".join(map(str, manifest.shape))
    show(
        f"{part}{shape} numbers ({size:,.0f} MiB of {manifest.dtype}) in {settings.output}",
        f"next: rezsl fit --data regions --data.root {settings.output}",
    )


def _own_part(text: str) -> tuple[tuple[int, int], int]:
    """Return the shard of this process, and its number among those that ``torchrun`` or ``srun`` has started.

    Such processes divide the shard of the command among them.
    """
    (first, count), started = _shard(text), started_processes()
    if started is None:
        return (first, count), 0
    return (first * started.total + started.number, count * started.total), started.number


def _shard(text: str) -> tuple[int, int]:
    """Return (0, 4) for ``1/4``."""
    first, _, count = text.partition("/")
    if not (first.isdecimal() and count.isdecimal() and 1 <= int(first) <= int(count)):
        raise ArgumentError(f"--shard: expected I/N with 1 ≤ I ≤ N, such as 1/4, got {text!r}")
    return int(first) - 1, int(count)
