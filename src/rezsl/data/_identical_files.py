"""Files that are byte for byte the same on both sides of a split, so that a test shows what training has shown."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path

from jaxtyping import Int
from torch import Tensor

from rezsl.data._benchmark import Split
from rezsl.errors import DataError, name_some
from rezsl.sources import is_inside, is_remote, read_bytes, size_of

HEAD = 1 << 12
"""The first bytes of a file, which differ in most files of one size."""


def note_of_identical_files(
    paths: Sequence[Path], labels: Int[Tensor, "N"], classes: Sequence[str], split: Split
) -> tuple[str, ...]:
    """Return a note on test images that are copies of training images, if there are any.

    Files of different sizes are not opened, and of those of one size only the ones whose beginnings agree are read.
    Photos in an object store are not compared, because each would have to be fetched.
    """
    side = dict.fromkeys(split.trainval.tolist(), "training")
    side |= dict.fromkeys([*split.test_seen.tolist(), *split.test_unseen.tolist()], "test")
    groups = [[*side]]
    marks: tuple[Callable[[Path], Hashable], ...] = (_size, _head, _digest)
    for mark in marks:
        groups = [part for group in groups for part in _divided(group, mark, paths, side)]
    copies = {row: group for group in groups for row in group if side[row] == "test"}
    if not copies:
        return ()
    other = sum(
        any(side[twin] == "training" and labels[twin] != labels[row] for twin in group) for row, group in copies.items()
    )
    of_other = f", {other} of them of another class" if other else ""
    names = name_some([f"{classes[int(labels[row])]}/{paths[row].name}" for row in copies], most=3)
    count = "1 test image is" if len(copies) == 1 else f"{len(copies)} test images are"
    return (f"{count} byte for byte the same as training images{of_other}: {names}; leave them out on one side",)


def _divided(
    rows: Sequence[int], mark: Callable[[Path], Hashable], paths: Sequence[Path], side: Mapping[int, str]
) -> list[list[int]]:
    """Divide rows by a mark of each one's file; parts of one side alone are left out."""
    parts = defaultdict(list)
    for row in rows:
        parts[mark(paths[row])].append(row)
    return [part for part in parts.values() if len({side[row] for row in part}) > 1]


def _size(path: Path) -> int:
    try:
        return -1 if is_remote(path) else size_of(path)
    except (OSError, DataError):  # whoever reads the image says so
        return -1


def _head(path: Path) -> bytes:
    return _start(path, HEAD)


def _digest(path: Path) -> bytes:
    return hashlib.sha256(_start(path, -1)).digest()


def _start(path: Path, count: int) -> bytes:
    try:
        if is_inside(path) and not is_remote(path):
            content = read_bytes(path)
            return content if count < 0 else content[:count]
        with path.open("rb") as stream:
            return stream.read(count)
    except (OSError, DataError):  # a mark of its own, because nothing is known of the content
        return str(path).encode(errors="surrogateescape")
