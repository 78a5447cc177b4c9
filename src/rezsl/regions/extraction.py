"""Writing a store of regions: what a backbone sees in the images of a benchmark, computed once for many runs."""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import torch
from jaxtyping import Int
from rich.console import Console
from rich.progress import Progress
from safetensors.torch import save
from torch import Tensor

from rezsl.data import Benchmark, Crop, ImageFormat
from rezsl.errors import ArgumentError, DataError
from rezsl.files import create_atomically
from rezsl.functional.shapes import Regions
from rezsl.regions.chunks import FEATURES, RECORDS, check_size, read_record, write_record
from rezsl.regions.dataset import dataset_sums, input_names, write_dataset
from rezsl.regions.image_backbone import ImageBackbone
from rezsl.regions.manifest import DTYPES, RegionDtype, RegionManifest
from rezsl.regions.store import BACKBONE, MANIFEST


def extract_regions(
    benchmark: Benchmark,
    backbone: ImageBackbone,
    directory: str | Path,
    dtype: RegionDtype = "float16",
    chunk: int = 512,
    batch_size: int = 32,
    shard: tuple[int, int] = (0, 1),
    device: str = "auto",
    source: str = "",
    revision: str = "",
    progress: bool = True,
) -> RegionManifest:
    """Write the regions of all images of a benchmark, for :func:`rezsl.data.load_region_store`.

    A call that was interrupted goes on where it stopped, with the same arguments. Several processes, also on several
    machines with one file system, share the work: each is given one of n shards.

    Args:
        benchmark: of images. Its labels, semantics and split are kept in the store; its image files are not needed
            afterwards.
        backbone: used as it is, in evaluation mode; its weights are kept in the store too.
        directory: of the store; made if need be.
        dtype: to round to. ``float16`` has 11 significant bits up to 65504, ``bfloat16`` 8 bits up to 3·10³⁸.
        chunk: images that are written, recorded, and after an interruption computed again, as one.
        batch_size: images per forward pass.
        shard: (i, n), 0 ≤ i < n: only the chunks i, i + n, i + 2n, …
        device: where the backbone runs; ``auto`` takes a GPU if there is one. It is left where it was.
        source: where the backbone's weights come from, for people to read.
        revision: which version of them, for people to read.
        progress: show a progress bar.

    Raises:
        ArgumentError: a number is out of range, or this machine has no such device.
        DataError: the benchmark has features already, an image cannot be read, a region is NaN or does not fit the
            dtype, or the directory holds a store of something else.
    """
    _check_arguments(benchmark, dtype, chunk, batch_size, shard)
    root, image_format = Path(directory), ImageFormat(backbone.image_size, backbone.channels, backbone.resize)
    with _at_work(backbone, device):
        manifest = _begin(root, benchmark, backbone, image_format, dtype, chunk, source, revision)
        mine = range(shard[0], manifest.chunks, shard[1])
        unfinished = [number for number in mine if read_record(root, manifest, number) is None]
        with (
            Progress(console=Console(stderr=True), disable=not progress) as bar,
            (root / FEATURES).open("r+b", buffering=0) as stream,
        ):
            task = bar.add_task("extract", total=sum(len(manifest.rows(number)) for number in unfinished))
            for number in unfinished:
                parts = torch.tensor(manifest.rows(number)).split(batch_size)
                checksum = hashlib.sha256()
                stream.seek(manifest.rows(number).start * manifest.row_bytes)
                for index, images in _ahead(benchmark, image_format, parts):
                    content = _bytes(_rounded(_regions(backbone, images), dtype, index, benchmark))
                    _write(stream, content)
                    checksum.update(content)
                    bar.advance(task, len(index))
                os.fsync(stream.fileno())
                write_record(root, manifest, number, checksum.hexdigest())
    return manifest


@contextmanager
def _at_work(backbone: ImageBackbone, device: str) -> Iterator[None]:
    """In evaluation mode on the device; afterwards it is as it was."""
    was_training, home = backbone.training, backbone.mean.device
    place = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    try:
        torch.empty(1, device=place)
    except (RuntimeError, AssertionError) as error:  # the latter where PyTorch was built without it
        reason = str(error).splitlines()[0][:100]
        raise ArgumentError(
            f"device: expected auto, cpu or cuda as this machine has them, got {device!r} ({reason})"
        ) from error
    backbone.eval().to(place)
    try:
        yield
    finally:
        backbone.train(was_training).to(home)


def _check_arguments(
    benchmark: Benchmark, dtype: RegionDtype, chunk: int, batch_size: int, shard: tuple[int, int]
) -> None:
    if dtype not in DTYPES:
        raise ArgumentError(f"dtype: expected one of {', '.join(DTYPES)}, got {dtype!r}")
    for name, number in (("chunk", chunk), ("batch_size", batch_size)):
        if number < 1:
            raise ArgumentError(f"{name}: expected at least 1, got {number}")
    if not 0 <= shard[0] < shard[1]:
        raise ArgumentError(f"shard: expected (i, n) with 0 ≤ i < n, got {shard}")
    if benchmark.kind == "features":
        raise DataError(f"data: expected a benchmark of images, got features ({benchmark}); fit them as they are")


def _begin(
    root: Path,
    benchmark: Benchmark,
    backbone: ImageBackbone,
    image_format: ImageFormat,
    dtype: RegionDtype,
    chunk: int,
    source: str,
    revision: str,
) -> RegionManifest:
    """A store with everything in it but regions, new or found as it should be."""
    names = input_names(benchmark.inputs)
    weights = save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in backbone.state_dict().items()})
    like_one = torch.zeros(1, backbone.channels, backbone.image_size, backbone.image_size, dtype=torch.uint8)
    _, regions, region_dim = _regions(backbone, like_one).shape
    description = {
        "class": type(backbone).__name__,
        "source": source or "a backbone made in Python",
        "revision": revision,
        "sha256": hashlib.sha256(weights).hexdigest(),
        "preprocessing": asdict(image_format),
        "specification": backbone.specification(),
    }
    sums = dataset_sums(benchmark, names)
    manifest = RegionManifest(len(benchmark.labels), regions, region_dim, dtype, chunk, description, sums)
    root.mkdir(parents=True, exist_ok=True)
    # Listed before the manifest is looked for: another process may be beginning the same store.
    others = [entry for entry in root.iterdir() if not entry.name.startswith(".")]
    if others and not (root / MANIFEST).exists():
        raise DataError(f"{root}: expected a new or empty directory, or an unfinished store; choose another directory")
    manifest.claim(root / MANIFEST)
    write_dataset(root, benchmark, names)
    create_atomically(root / BACKBONE, weights)
    (root / RECORDS).mkdir(exist_ok=True)
    _make_room(root, manifest)
    return manifest


def _make_room(root: Path, manifest: RegionManifest) -> None:
    """The file of features in its full length, as a hole that chunks are written into, in any order."""
    if any((root / RECORDS).iterdir()):
        # Chunks are recorded as written: a new, empty file would pass for their regions.
        check_size(root, manifest)
    descriptor = os.open(root / FEATURES, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        os.ftruncate(descriptor, manifest.count * manifest.row_bytes)
    finally:
        os.close(descriptor)


def _ahead(
    benchmark: Benchmark, image_format: ImageFormat, parts: tuple[Tensor, ...]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of images with their indices; the next one is decoded while one is in use."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        waiting = thread.submit(image_format.read, benchmark.inputs, parts[0])
        for position, index in enumerate(parts):
            images = waiting.result()
            if position + 1 < len(parts):
                waiting = thread.submit(image_format.read, benchmark.inputs, parts[position + 1])
            yield index, images


@torch.inference_mode()
def _regions(backbone: ImageBackbone, images: Tensor) -> Regions:
    regions: Tensor = backbone(images.to(backbone.mean.device))
    return regions


def _rounded(regions: Regions, dtype: RegionDtype, index: Int[Tensor, "B"], benchmark: Benchmark) -> Regions:
    """Regions in the store's type, on the CPU.

    Raises:
        DataError: a number is NaN or infinite, before or after rounding.
    """
    rounded = regions.to(DTYPES[dtype])
    finite = rounded.isfinite().flatten(1).all(dim=1).cpu()
    if not bool(finite.all()):
        row = int((~finite).nonzero()[0])
        image = _name(benchmark, int(index[row]))
        largest = float(regions[row].float().abs().max())
        if not torch.isfinite(torch.tensor(largest)):
            raise DataError(f"{image}: the backbone's regions of this image hold NaN or infinity; check its weights")
        advice = "; extract with dtype bfloat16 into another directory" if dtype == "float16" else ""
        raise DataError(f"{image}: a region has the number {largest:.6g}, too large for {dtype}{advice}")
    return rounded.cpu()


def _name(benchmark: Benchmark, position: int) -> str:
    source: Any = benchmark.inputs[position]
    if isinstance(source, Crop):
        return f"{source.path} {source.box}"
    return f"image {position}" if isinstance(source, Tensor) else str(source)


def _bytes(regions: Tensor) -> bytes:
    return regions.contiguous().view(torch.int16).numpy().astype("<i2", copy=False).tobytes()


def _write(stream: BinaryIO, content: bytes) -> None:
    """All of it: an unbuffered file may take less at a time."""
    view = memoryview(content)
    while view:
        view = view[stream.write(view) :]
