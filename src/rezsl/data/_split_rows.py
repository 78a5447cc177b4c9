"""The lines of ``splits.csv``, and what was decided and written with them."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rezsl.data._class_folders import SPLIT_NAMES
from rezsl.data._class_roles import ClassRoles


@dataclass(frozen=True)
class ImageRow:
    """A line of ``splits.csv``: POSIX path relative to the folder, class, group (empty: stands alone) and split."""

    file: str
    class_name: str
    group: str
    split: str


@dataclass(frozen=True)
class MadeSplits:
    """What :func:`rezsl.data.make_splits` decided and wrote.

    Attributes:
        rows: every image, in the order of ``splits.csv``.
        roles: what each class is for.
        written: the files, ``splits.csv`` first.
        notes: what a reader of the splits should know, one sentence each.
    """

    rows: tuple[ImageRow, ...]
    roles: ClassRoles
    written: tuple[Path, ...]
    notes: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Number of images by split."""
        found = Counter(row.split for row in self.rows)
        return {name: found[name] for name in SPLIT_NAMES}


def splits_table(rows: Sequence[ImageRow]) -> bytes:
    """The text of ``splits.csv``, in UTF-8."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["file", "class", "group", "split"])
    writer.writerows([row.file, row.class_name, row.group, row.split] for row in rows)
    return stream.getvalue().encode()
