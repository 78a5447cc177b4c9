"""Writing a store: the regions of all images of a benchmark are computed once for many runs."""

import hashlib
import math
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from io import FileIO
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from rezsl.data import Benchmark, Crop, ImageFormat, UnreadableImagesError, benchmark_checksums, identify_inputs
from rezsl.devices import computing_device
from rezsl.errors import ArgumentError, DataError, check_at_least, check_choice, needs
from rezsl.files import local_path, sha256, tensor_bytes
from rezsl.functional.shapes import Regions
from rezsl.regions.image_backbone import ImageBackbone
from rezsl.regions.store import (
    BACKBONE,
    FEATURES,
    MANIFEST,
    RECORDS,
    RegionDtype,
    RegionManifest,
    check_size,
    read_record,
    write_dataset,
    write_record,
)
from rezsl.writing import create_atomically, naming_full_disk, remove_partials, write_whole

AHEAD = 2
"""Batches that are decoded while the backbone computes another one."""


def extract_regions(
    benchmark: Benchmark,
    backbone: ImageBackbone,
    directory: str | Path,
    dtype: RegionDtype = "float16",
    chunk: int = 512,
    batch_size: int = 32,
    shard: tuple[int, int] = (0, 1),
    device: str = "auto",
    progress: bool = True,
) -> RegionManifest:
    """Write the regions of all images of a benchmark into a store, for :func:`rezsl.regions.load_region_store`.

    After an interruption, a call with the same arguments continues the work. Several processes, also on several
    machines with one file system, can share the work, each with one of n shards. If one of them dies, a later call,
    with any number of shards, does the rest.

    Args:
        benchmark: a benchmark of images. Its labels, semantics and split are copied into the store, so that the image
            files are not needed afterwards.
        backbone: the backbone, which is used in evaluation mode; its weights are copied into the store too.
        directory: directory of the store, which is created if necessary.
        dtype: type to which regions are rounded. ``float16`` has 11 significant bits and reaches 65504, ``bfloat16``
            has 8 and reaches 3·10³⁸, and ``float8_e4m3fn``, which takes half of the space, has 4 and reaches 448.
        chunk: number of images that are written and recorded together, and computed again after an interruption.
        batch_size: images per forward pass.
        shard: (i, n) with 0 ≤ i < n selects the chunks i, i + n, i + 2n, …
        device: device of the computation; ``auto`` takes a GPU if there is one, and each of several processes that
            ``torchrun`` or ``srun`` has started takes its own. Afterwards the backbone is moved back.
        progress: show a progress bar.

    Raises:
        ArgumentError: a number is out of range, or this machine has no such device.
        DataError: the benchmark has features already, an image cannot be read, a region is NaN or does not fit the
            dtype, or the directory contains another store.
    """
    check_choice(RegionDtype, dtype=dtype)
    check_at_least(1, chunk=chunk, batch_size=batch_size)
    if not 0 <= shard[0] < shard[1]:
        raise ArgumentError(f"shard: expected (i, n) with 0 ≤ i < n, got {shard}; count shards from 0")
    if benchmark.kind == "features":
        raise DataError(f"data: expected a benchmark of images, got features ({benchmark}); fit them as they are")
    root, names = local_path(directory), identify_inputs(benchmark.inputs)
    with prepared(backbone, computing_device(device)):
        sums = benchmark_checksums(benchmark, names)
        manifest = begin_store(root, benchmark.inputs, backbone, dtype, chunk, sums)
        write_dataset(root, benchmark, names)
        mine = range(shard[0], manifest.chunks, shard[1])
        write_chunks(root, manifest, benchmark.inputs, backbone, mine, batch_size, progress)
    return manifest


def write_chunks(
    root: Path,
    manifest: RegionManifest,
    inputs: Tensor | Sequence[Path | Crop],
    backbone: ImageBackbone,
    chunks: Iterable[int],
    batch_size: int,
    progress: bool,
) -> None:
    """Compute and record the chunks that have no record yet; one that another process records meanwhile is left out.

    A chunk with images that cannot be read has no record. The others are computed all the same, and an
    :class:`UnreadableImagesError` then names the images.
    """
    with needs("images", "extraction"):
        from rich.progress import Progress  # noqa: PLC0415

        from rezsl.terminal import Terminal  # noqa: PLC0415 - an optional package

    unfinished = [number for number in chunks if read_record(root, manifest, number) is None]
    bar = Progress(console=Terminal(stderr=True, quiet=not progress))
    task = bar.add_task("extract", total=sum(len(manifest.rows(number)) for number in unfinished))
    problems, sources = dict[int, str](), dict[int, str]()

    def parts() -> Iterator[tuple[int, Tensor]]:
        for number in unfinished:
            if read_record(root, manifest, number) is None:
                yield from ((number, index) for index in torch.tensor(manifest.rows(number)).split(batch_size))
            else:
                bar.advance(task, len(manifest.rows(number)))

    with bar, (root / FEATURES).open("r+b", buffering=0) as stream, ThreadPoolExecutor(1) as writer:
        decoded = _decoded(inputs, backbone.input_format, parts())
        for number, batches in groupby(decoded, key=lambda batch: batch.chunk):
            rows = manifest.rows(number)
            if read_record(root, manifest, number) is not None:  # recorded by another process since it was decoded
                bar.advance(task, sum(len(batch.rows) for batch in batches))
                continue
            checksum = hashlib.sha256()
            stream.seek(rows.start * manifest.row_bytes)
            written = list[Future[None]]()
            try:
                for batch in batches:
                    regions = backbone(batch.images.result().to(backbone.mean.device))
                    rounded = _rounded(regions, manifest.dtype, batch.rows, inputs)
                    content = _bytes_of(rounded)
                    _wait_for(written)
                    written.append(writer.submit(_write, root, stream, content, checksum))
                    bar.advance(task, len(batch.rows))
            except UnreadableImagesError:
                _wait_for(written)
                found = _unreadable(inputs, backbone.input_format, rows)
                for place, problem in found.problems.items():
                    bar.console.print(f"note: {problem}", highlight=False, markup=False, soft_wrap=True)
                    problems[rows[place]], sources[rows[place]] = problem, found.sources[place]
                continue
            _wait_for(written)
            with naming_full_disk(root / FEATURES):
                os.fsync(stream.fileno())
            write_record(root, manifest, number, checksum.hexdigest())
    if problems:
        raise UnreadableImagesError.of(problems, sources, "; the regions of the other images are kept")


def _bytes_of(rounded: Regions) -> bytes:
    """Return the numbers of regions as they are on the disk, little-endian."""
    kind, name = (torch.int16, "<i2") if rounded.element_size() == 2 else (torch.uint8, "u1")
    return rounded.contiguous().view(kind).numpy().astype(name, copy=False).tobytes()


def _write(root: Path, stream: FileIO, content: bytes, checksum: "hashlib._Hash") -> None:
    with naming_full_disk(root / FEATURES):
        write_whole(stream, content)
    checksum.update(content)


def _wait_for(written: list[Future[None]]) -> None:
    """Wait for the end of the write before this one; its error is raised here."""
    while written:
        written.pop().result()


def _unreadable(
    inputs: Tensor | Sequence[Path | Crop], image_format: ImageFormat, rows: range
) -> UnreadableImagesError:
    """Return the error that names all images of a chunk that cannot be read, by their positions in it."""
    try:
        image_format.read(inputs, torch.tensor(rows))
    except UnreadableImagesError as error:
        return error
    raise DataError(f"images {rows.start} to {rows.stop - 1}: cannot be read at times; check the disk")


@contextmanager
def prepared(backbone: ImageBackbone, device: torch.device) -> Iterator[None]:
    """Use the backbone without gradients in evaluation mode on the device, and restore its mode and device."""
    was_training, home = backbone.training, backbone.mean.device
    backbone.eval().to(device)
    try:
        with torch.inference_mode():
            yield
    finally:
        backbone.train(was_training).to(home)


def describe(backbone: ImageBackbone, weights: bytes) -> dict[str, Any]:
    """Return the entry ``backbone`` of a manifest; ``weights`` are the bytes of its state."""
    preprocessing, arguments = asdict(backbone.input_format), dict(backbone.arguments)
    if backbone.value_range is None:  # so that stores of versions without a range are found again
        for entry in (preprocessing, arguments):
            entry.pop("value_range", None)
    return {
        "class": type(backbone).__name__,
        "source": backbone.source,
        "revision": backbone.revision,
        "sha256": sha256(weights),
        "preprocessing": preprocessing,
        "arguments": arguments,
    }


def begin_store(
    root: Path,
    inputs: Tensor | Sequence[Path | Crop],
    backbone: ImageBackbone,
    dtype: RegionDtype,
    chunk: int,
    sums: dict[str, str],
) -> RegionManifest:
    """Create a store with everything but its data set and its regions, or accept one that was begun as this one."""
    weights = tensor_bytes(backbone.state_dict())
    shape, device = (1, backbone.channels, backbone.image_size, backbone.image_size), backbone.mean.device
    _, regions, region_dim = backbone(torch.zeros(shape, dtype=torch.uint8, device=device)).shape
    description = describe(backbone, weights)
    manifest = RegionManifest(len(inputs), regions, region_dim, dtype, chunk, description, sums)
    root.mkdir(parents=True, exist_ok=True)
    # The directory is listed before the manifest is checked, because another process may begin the same store.
    if any(not entry.name.startswith(".") for entry in root.iterdir()) and not (root / MANIFEST).exists():
        raise DataError(f"{root}: expected a new or empty directory, or an unfinished store; choose another directory")
    for folder in (root, root / RECORDS):
        remove_partials(folder)
    manifest.claim(root)
    create_atomically(root / BACKBONE, weights)
    (root / RECORDS).mkdir(exist_ok=True)
    if any((root / RECORDS).iterdir()):
        # Some chunks are recorded as written, so a new, empty file would be taken for their regions.
        check_size(root, manifest)
    # The file has its full length from the start and is sparse, so that chunks can be written in any order.
    with naming_full_disk(root / FEATURES):
        (root / FEATURES).touch()
        os.truncate(root / FEATURES, manifest.count * manifest.row_bytes)
    return manifest


class _Batch(NamedTuple):
    """A batch of images that is being decoded: its chunk, the positions of its images, and the images."""

    chunk: int
    rows: Int[Tensor, "B"]
    images: Future[Tensor]


def _decoded(
    inputs: Tensor | Sequence[Path | Crop], image_format: ImageFormat, parts: Iterator[tuple[int, Tensor]]
) -> Iterator[_Batch]:
    """Yield the batches of all chunks; the next ones are decoded, on several threads, while one is in use."""
    with ThreadPoolExecutor(AHEAD) as threads:
        waiting = deque[_Batch]()
        try:
            for chunk, index in parts:
                waiting.append(_Batch(chunk, index, threads.submit(image_format.read, inputs, index)))
                if len(waiting) > AHEAD:
                    yield waiting.popleft()
            yield from waiting
        finally:
            for batch in waiting:
                batch.images.cancel()


def _rounded(
    regions: Regions, dtype: RegionDtype, index: Int[Tensor, "B"], inputs: Tensor | Sequence[Path | Crop]
) -> Regions:
    """Return regions in the type of the store, on the CPU; numbers that are not finite, or too large, are refused."""
    rounded = regions.to(getattr(torch, dtype)).cpu()
    kept = rounded.float().isfinite()
    if rounded.element_size() == 1:  # which has no infinity: larger numbers would become the largest one
        kept &= (regions.abs() <= torch.finfo(rounded.dtype).max).cpu()
    finite = kept.flatten(1).all(dim=1)
    if not bool(finite.all()):
        row = int((~finite).nonzero()[0])
        source = inputs[int(index[row])]
        image = f"image {int(index[row])}" if isinstance(source, Tensor) else str(source)
        if isinstance(source, Crop):
            image = f"{source.path} {source.box}"
        largest = float(regions[row].abs().max())
        if not math.isfinite(largest):
            raise DataError(f"{image}: the backbone's regions of this image contain NaN or infinity; check its weights")
        wider = {"float16": "bfloat16", "float8_e4m3fn": "float16"}.get(dtype)
        advice = f"; extract with dtype {wider} into another directory" if wider else ""
        raise DataError(f"{image}: a region has the number {largest:.6g}, too large for {dtype}{advice}")
    return rounded
