"""``python -m benchmarks.extraction FOLDER``: extraction from photos to the disk, as a share of the backbone alone.

Everything is measured in one run, the parts in turns: the backbone on decoded batches, the decoding alone, and
extraction with its decoding, rounding, checksums and writing, but without the start of a store. Where other programs
use the machine, ``--clock processor`` counts the processor's seconds of all threads instead of those on the wall, as on
a machine of one core, where decoding cannot be parallel to the backbone.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from rezsl.data import benchmark_checksums, load_image_folder
from rezsl.devices import computing_device
from rezsl.regions import BACKBONES
from rezsl.regions.extraction import begin_store, prepared, write_chunks


def main() -> None:
    """Measure, and print a row of JSON."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("--source", type=Path, required=True)
    options.add_argument("--photos", type=int, default=64)
    options.add_argument("--image-size", type=int, default=224)
    options.add_argument("--batch", type=int, default=8)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--clock", choices=["wall", "processor"], default="wall")
    print(json.dumps(measured(**vars(options.parse_args()))))


def measured(
    folder: Path, source: Path, photos: int, image_size: int, batch: int, rounds: int, clock: str
) -> dict[str, float]:
    """Return images per second of the parts, and the share of the backbone's speed that extraction reaches."""
    data = load_image_folder(folder)
    inputs = data.inputs[:: len(data.inputs) // photos][:photos]
    backbone = BACKBONES["pretrained"](3, image_size, source=str(source), image_size=image_size)
    parts = torch.arange(photos).split(batch)
    best: dict[str, float] = {}
    device = computing_device()
    with prepared(backbone, device), tempfile.TemporaryDirectory() as place:
        images = [backbone.input_format.read(inputs, part) for part in parts]
        sums = benchmark_checksums(data, [0])

        def compute() -> None:
            for part in images:
                backbone(part.to(device)).cpu()

        def decode() -> None:
            for part in parts:
                backbone.input_format.read(inputs, part)

        for number in range(rounds + 1):
            root = Path(place) / str(number)
            manifest = begin_store(root, inputs, backbone, "float16", 4 * batch, sums)

            def extract(root: Path = root, manifest: object = manifest) -> None:
                write_chunks(root, manifest, inputs, backbone, range(manifest.chunks), batch, False)  # type: ignore[arg-type,attr-defined]

            for name, call in (("backbone", compute), ("decoding", decode), ("extraction", extract)):
                speed = photos / seconds(call, clock)
                if number:  # the first round warms up
                    best[name] = max(best.get(name, 0.0), speed)
    return best | {"share": best["extraction"] / best["backbone"]}


def seconds(call: Callable[[], None], clock: str) -> float:
    """Return the time of a call."""
    now = time.process_time if clock == "processor" else time.perf_counter
    started = now()
    call()
    return now() - started


if __name__ == "__main__":
    main()
