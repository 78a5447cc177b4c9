"""Regions that a training extracts itself, kept in a cache for the trainings that follow."""

import os
from dataclasses import replace
from pathlib import Path

from rezsl.data import Benchmark, identify_inputs
from rezsl.errors import ArgumentError, needs
from rezsl.files import fingerprint, flat, tensor_bytes
from rezsl.regions.extraction import begin_store, describe, prepared, write_chunks
from rezsl.regions.image_backbone import ImageBackbone
from rezsl.regions.store import IRRELEVANT, MANIFEST, RegionDtype, load_regions, read_manifest, read_record

DTYPE: RegionDtype = "float16"
CHUNK, BATCH = 256, 32
"""Images that are recorded together, of which an interruption loses no more, and images per forward pass."""


def user_cache() -> Path:
    """Return the directory of rezsl in the user's cache, ``$XDG_CACHE_HOME/rezsl`` or ``~/.cache/rezsl``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rezsl"


def cached_regions(data: Benchmark, backbone: ImageBackbone, cache: Path, progress: bool = True) -> Benchmark:
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

    Raises:
        ArgumentError: the cache is a file.
        DataError: an image cannot be read, or a region does not fit into float16.
    """
    if cache.is_file():
        raise ArgumentError(f"cache: expected a folder, got the file {cache}; name a folder")
    with needs("images", "extraction"):
        from rich.console import Console  # noqa: PLC0415 - an optional package

    images = identify_inputs(data.inputs, content=True)
    description = flat(describe(backbone, tensor_bytes(backbone.state_dict())), IRRELEVANT)
    root = cache / fingerprint(DTYPE, description, images)[:16]
    console = Console(stderr=True, quiet=not progress, soft_wrap=True)
    if _finished(root):
        console.print(f"regions of {len(images):,} images: found in {root}", highlight=False, markup=False)
    else:
        console.print(
            f"regions of {len(images):,} images by {backbone.source}: extracted once, into {root}",
            highlight=False,
            markup=False,
        )
        with prepared(backbone, "auto"):
            manifest = begin_store(root, data.inputs, backbone, DTYPE, CHUNK, {"inputs": fingerprint(images)})
            first = os.getpid() % manifest.chunks
            order = [*range(first, manifest.chunks), *range(first)]
            write_chunks(root, manifest, data.inputs, backbone, order, BATCH, progress)
    regions, origin = load_regions(root)
    return replace(data, inputs=regions, regions=replace(origin, cached=True))


def _finished(root: Path) -> bool:
    if not (root / MANIFEST).exists():
        return False
    manifest = read_manifest(root)
    return all(read_record(root, manifest, chunk) is not None for chunk in range(manifest.chunks))
