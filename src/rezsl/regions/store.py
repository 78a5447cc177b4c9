"""Reading a store of regions: features of any number of images, used in place from one file on the disk."""

import hashlib
import sys
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.data import Benchmark, RegionOrigin, reader
from rezsl.errors import DataError
from rezsl.regions.chunks import FEATURES, check_size, read_record, verify_chunks
from rezsl.regions.dataset import read_dataset
from rezsl.regions.manifest import DTYPES, RegionManifest, read_manifest

MANIFEST, BACKBONE = "manifest.json", "backbone.safetensors"


@reader("regions")
def load_region_store(root: str | Path, verify: bool = False) -> Benchmark:
    """A benchmark whose inputs are regions ``[N, R, D]`` that ``rezsl extract`` has written.

    The regions stay on the disk, in half precision, and are mapped into memory: only those of the images of a batch
    are read, when the batch is. The file must stay where it is as long as the benchmark is used.

    Args:
        root: directory of the store.
        verify: read all regions once and compare them with their checksums.

    Raises:
        DataError: there is no such store, it is incomplete, cut off or damaged.
    """
    root = Path(root)
    manifest = read_manifest(root / MANIFEST)
    check_size(root, manifest)
    records = [read_record(root, manifest, chunk) for chunk in range(manifest.chunks)]
    sums = [checksum for checksum in records if checksum is not None]
    if missing := len(records) - len(sums):
        raise DataError(
            f"{root}: expected {len(records)} finished chunks of {manifest.chunk} images, {missing} are missing; "
            f"run the same rezsl extract (of every shard) until it has finished"
        )
    if verify:
        verify_chunks(root, manifest, sums)
    identity = hashlib.sha256("\n".join([manifest.to_json(), *sums]).encode()).hexdigest()
    origin = RegionOrigin(root.resolve(), manifest.backbone, manifest.dtype, identity)
    return read_dataset(root, map_regions(root, manifest), origin, manifest.dataset)


def map_regions(root: Path, manifest: RegionManifest) -> Float[Tensor, "N R D"]:
    """The file of features as a tensor: pages are read when they are touched, and shared by all processes."""
    if sys.byteorder != "little":
        raise DataError(
            f"{root / FEATURES}: written little-endian, which this machine cannot map; copy it to one that can"
        )
    # A private mapping: the file need not be writable, and is never written, whatever happens to the tensor.
    numbers = torch.from_file(
        str(root / FEATURES),
        shared=False,
        size=manifest.count * manifest.row_bytes // 2,
        dtype=DTYPES[manifest.dtype],
    )
    return numbers.view(manifest.shape)
