"""What is in a folder of one's own images, and what is wrong with it."""

import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rezsl.data.benchmark import Benchmark
from rezsl.data.class_folders import images_by_class
from rezsl.data.image_folder import SPLIT_NAMES, load_image_folder
from rezsl.data.images import read_image
from rezsl.errors import DataError
from rezsl.semantics import ClassSemantics


@dataclass(frozen=True)
class FolderReport:
    """Counts and findings for a folder with ``images/<class>/*`` and ``semantics.csv``.

    Attributes:
        classes: number of image files by class: the table's classes in its order, then folders without a row.
        splits: number of images by class and split, as :func:`rezsl.data.load_image_folder` sees it; empty where it
            cannot read the folder. Without validation classes, ``train`` is everything that is trained on.
        without_images: classes of the table that have no image.
        unlisted: image files that ``splits.csv`` leaves out.
        unreadable: a sentence per image file that cannot be decoded; empty where none was decoded.
        decoded: whether every image file was decoded.
        notes: what the reader decided, such as the classes that play the unseen ones.
        problems: a sentence per finding that keeps the folder from being used as it is, unreadable images included.
    """

    classes: dict[str, int]
    splits: dict[str, dict[str, int]]
    without_images: tuple[str, ...]
    unlisted: tuple[str, ...]
    unreadable: tuple[str, ...]
    decoded: bool
    notes: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether the folder can be trained on as it is."""
        return not self.problems


def report_folder(root: str | Path, decode: bool = False) -> FolderReport:
    """Look through a folder of one's own images; nothing is written, and nothing wrong with it raises.

    Args:
        root: the folder.
        decode: decode every image file, which takes minutes for tens of thousands of photos.
    """
    root = Path(root)
    problems: list[str] = []
    found, names = _found(root, problems), _class_names(root, problems)
    benchmark = _benchmark(root, problems) if not problems else None
    class_of = {os.path.normpath(root / file): name for name, files in found.items() for file in files}
    listed = _listed(benchmark) if benchmark else {}
    counts = Counter((class_of | listed).values())
    unreadable = _unreadable([*(class_of | listed)]) if decode else ()
    return FolderReport(
        classes={name: counts[name] for name in dict.fromkeys([*names, *found])},
        splits=_count(benchmark) if benchmark else {},
        without_images=tuple(name for name in names if not counts[name]),
        unlisted=tuple(Path(os.path.relpath(file, root)).as_posix() for file in class_of if file not in listed)
        if benchmark
        else (),
        unreadable=unreadable,
        decoded=decode,
        notes=benchmark.notes if benchmark else (),
        problems=(*problems, *unreadable),
    )


def _found(root: Path, problems: list[str]) -> dict[str, list[str]]:
    if not (root / "images").is_dir() and (root / "splits.csv").is_file():
        # It may list files anywhere below the folder.
        return {}
    try:
        return images_by_class(root)
    except DataError as error:
        problems.append(str(error))
        return {}


def _class_names(root: Path, problems: list[str]) -> tuple[str, ...]:
    try:
        return ClassSemantics.from_csv(root / "semantics.csv").classes
    except DataError as error:
        problems.append(str(error))
        return ()


def _benchmark(root: Path, problems: list[str]) -> Benchmark | None:
    try:
        return load_image_folder(root)
    except DataError as error:
        problems.append(str(error))
        return None


def _count(benchmark: Benchmark) -> dict[str, dict[str, int]]:
    split = benchmark.split
    parts = {
        "train": split.train if len(split.train) else split.trainval,
        "val": split.val,
        "test_seen": split.test_seen,
        "test_unseen": split.test_unseen,
    }
    counts: dict[str, dict[str, int]] = {}
    for name, index in parts.items():
        for row, count in Counter(benchmark.labels[index].tolist()).items():
            counts.setdefault(benchmark.semantics.classes[row], dict.fromkeys(SPLIT_NAMES, 0))[name] = count
    return counts


def _listed(benchmark: Benchmark) -> dict[str, str]:
    """Class of every image file that is used."""
    return {
        os.path.normpath(path): benchmark.semantics.classes[row]
        for path, row in zip(benchmark.inputs, benchmark.labels.tolist(), strict=True)
        if isinstance(path, Path)
    }


def _unreadable(files: Sequence[str]) -> tuple[str, ...]:
    def why_not(file: str) -> str:
        try:
            read_image(file, size=16)
        except DataError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as threads:
        return tuple(filter(None, threads.map(why_not, files)))
