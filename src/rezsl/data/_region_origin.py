"""Where the regions of a benchmark come from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class RegionOrigin:
    """The store that a benchmark's inputs are mapped from.

    Its presence says that the values were found finite when they were written, and that nothing should read all of
    them: such a file can be larger than the memory.

    Attributes:
        root: directory of the store.
        backbone: what made the regions: the ``backbone`` entry of the store's manifest.
        dtype: that they were rounded to.
        sha256: of the manifest and of the checksums of all chunks: identifies the regions without reading them.
    """

    root: Path
    backbone: dict[str, Any]
    dtype: str
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """What a saved model keeps of it; not the directory, which may move."""
        return {"backbone": self.backbone, "dtype": self.dtype}
