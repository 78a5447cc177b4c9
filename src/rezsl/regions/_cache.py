"""Regions that a training extracts itself, kept in a cache for the trainings that follow."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from rezsl.data import Benchmark, identify_inputs
from rezsl.devices import computing_device
from rezsl.errors import ArgumentError, DataError, needs
from rezsl.files import tensor_bytes
from rezsl.records import fingerprint, flat
from rezsl.regions.extraction import begin_store, describe, prepared, write_chunks
from rezsl.regions.image_backbone import ImageBackbone
from rezsl.regions.store import (
    IRRELEVANT,
    MANIFEST,
    RegionDtype,
    is_region_store,
    load_regions,
    read_manifest,
    read_record,
)

DTYPE: RegionDtype = "float16"
CHUNK, BATCH = 256, 32
"""Images that are recorded together, of which an interruption loses no more, and images per forward pass."""


def user_cache() -> Path:
    """Return the directory of rezsl in the user's cache, ``$XDG_CACHE_HOME/rezsl`` or ``~/.cache/rezsl``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rezsl"


def cache_beside(run: Path) -> Path:
    """Return the cache of the runs that stand side by side, ``regions`` in the directory around them."""
    return run.parent / "regions"


def cached_regions(
    data: Benchmark,
    backbone: ImageBackbone,
    cache: Path,
    progress: bool = True,
    device: str | torch.device = "auto",
) -> Benchmark:
    """Return the benchmark with the regions of its images, which are extracted unless the cache has them.

    A store of the cache is named by a fingerprint of the images' content, in their order, and of the backbone with its
    weights and its preprocessing. So it is found again after files were renamed and tables were changed, and another
    one is made when an image or a weight changes. After an interruption the next call goes on with the store. Several
    processes may call the function at once: each begins at another place of the store and leaves out what the others
    have recorded.

    Args:
        data: a benchmark of images.
        backbone: the backbone, which is used in evaluation mode.
        cache: directory of the cache, with a directory for each store.
        progress: print where the regions are, and show a progress bar.
        device: device of the computation, as for :func:`extract_regions`.

    Raises:
        ArgumentError: the cache is a file.
        DataError: an image cannot be read, or a region does not fit into float16.
    """
    if cache.is_file():
        raise ArgumentError(f"cache: expected a folder, got the file {cache}; name a folder")
    with needs("images", "extraction"):
        from rezsl.terminal import Terminal  # noqa: PLC0415 - an optional package

    images = identify_inputs(data.inputs, content=True)
    root = cache / _name(_description(backbone), images)
    console = Terminal(stderr=True, quiet=not progress, soft_wrap=True)
    if _finished(root):
        console.print(f"regions of {len(images):,} images: found in {root}", highlight=False, markup=False)
    else:
        console.print(
            f"regions of {len(images):,} images by {backbone.source}: extracted once, into {root}",
            highlight=False,
            markup=False,
        )
        with prepared(backbone, computing_device(device)):
            manifest = begin_store(root, data.inputs, backbone, DTYPE, CHUNK, {"inputs": fingerprint(images)})
            first = os.getpid() % manifest.chunks
            order = [*range(first, manifest.chunks), *range(first)]
            write_chunks(root, manifest, data.inputs, backbone, order, BATCH, progress)
    return _with_regions(data, root)


def find_cached_regions(data: Benchmark, backbone: ImageBackbone, caches: Sequence[Path]) -> Benchmark | None:
    """Return the benchmark with the regions of its images as :func:`cached_regions` does, but never extract any.

    Images are only read, for their checksums, where a cache has a store of this backbone with as many images.

    Args:
        data: a benchmark of images.
        backbone: the backbone.
        caches: directories of caches, of which the first one that has the regions is taken.

    Returns:
        None where no cache has the regions of all these images, in this order.
    """
    description, images = _description(backbone), None
    for cache in caches:
        stores = [*cache.iterdir()] if cache.is_dir() else []
        if any(_is_of(root, description, len(data.inputs)) for root in stores):
            images = images or identify_inputs(data.inputs, content=True)
            if _finished(root := cache / _name(description, images)):
                return _with_regions(data, root)
    return None


def _description(backbone: ImageBackbone) -> dict[str, Any]:
    """Return what decides the regions of a backbone."""
    return flat(describe(backbone, tensor_bytes(backbone.state_dict())), IRRELEVANT)


def _name(description: dict[str, Any], images: Sequence[Any]) -> str:
    return fingerprint(DTYPE, description, images)[:16]


def _is_of(root: Path, description: dict[str, Any], count: int) -> bool:
    """Return whether a directory is a store of a backbone with a number of images; a damaged one is not."""
    if not is_region_store(root):
        return False
    try:
        manifest = read_manifest(root)
    except DataError:
        return False
    return manifest.count == count and fingerprint(flat(manifest.backbone, IRRELEVANT)) == fingerprint(description)


def _with_regions(data: Benchmark, root: Path) -> Benchmark:
    regions, origin = load_regions(root)
    return replace(data, inputs=regions, regions=replace(origin, cached=True))


def _finished(root: Path) -> bool:
    if not (root / MANIFEST).exists():
        return False
    manifest = read_manifest(root)
    return all(read_record(root, manifest, chunk) is not None for chunk in range(manifest.chunks))
