"""Random batches out of a store of regions, against a plain copy of as many bytes."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks.timing import Comparison, side_by_side
from rezsl.data import gather_rows
from rezsl.regions import RegionDtype, RegionManifest
from rezsl.regions.store import map_regions

IMAGES, REGIONS, DIM, BATCH, BATCHES = 2560, 196, 512, 32, 16
"""490 MiB, as a ResNet of 448-pixel images leaves them; some seconds to write, and it stays in the page cache."""


def measure() -> Iterator[Comparison]:
    """Batches of 32 images: rows as rezsl gathers them, beside a copy of a tensor in memory and beside indexing."""
    names: tuple[RegionDtype, ...] = ("float16", "bfloat16")
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            yield from _measure(Path(folder), name)


def _measure(folder: Path, dtype: RegionDtype) -> Iterator[Comparison]:
    bits = torch.randint(-(2**14), 2**14, (IMAGES, REGIONS, DIM), dtype=torch.int16)
    bits.numpy().tofile(folder / "regions.bin")
    regions = map_regions(folder, RegionManifest(IMAGES, REGIONS, DIM, dtype, 512, {}, {}))
    assert torch.equal(regions.view(torch.int16), bits)  # every page is in the cache now
    in_memory = bits[: BATCH * BATCHES].view(BATCHES, BATCH, REGIONS, DIM).clone()
    del bits
    indices = torch.randperm(IMAGES)[: BATCH * BATCHES].view(BATCHES, BATCH)

    def copied() -> None:
        for batch in in_memory:
            batch.clone()

    def indexed() -> None:
        for index in indices:
            regions[index]

    def gathered() -> None:
        for index in indices:
            gather_rows(regions, index)

    same = torch.equal(gather_rows(regions, indices[0]).view(torch.int16), regions[indices[0]].view(torch.int16))
    difference = "none" if same else "other rows"
    copy_seconds, seconds = side_by_side(copied, gathered, rounds=15)
    what = f"{BATCHES} batches of {BATCH} × {REGIONS} × {DIM} {dtype}"
    yield Comparison(f"{what}, against a copy in memory", copy_seconds, seconds, difference)
    yield Comparison(f"{what}, against indexing", *side_by_side(indexed, gathered), difference)
