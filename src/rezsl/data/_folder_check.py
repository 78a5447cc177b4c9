"""The check of a folder of a user's own images."""

import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rezsl.data._benchmark import Benchmark
from rezsl.data._folder_files import SPLIT_NAMES, images_by_class
from rezsl.data._images import read_image
from rezsl.data._readers import Inventory, Reader, attempt, counts_of
from rezsl.errors import DataError
from rezsl.semantics import ClassSemantics


@dataclass(frozen=True, kw_only=True)
class FolderReport(Inventory):
    """The result of the check of a folder with ``images/<class>/*`` and ``semantics.csv``.

    Attributes:
        classes: number of image files by class: the table's classes in its order, then folders without a row.
        splits: number of images by class and split, as :func:`rezsl.data.load_image_folder` reads them; empty where it
            cannot read the folder. Without validation classes, ``train`` is everything that is trained on.
        without_images: classes of the table that have no image.
        unlisted: image files that ``splits.csv`` leaves out.
        unreadable: a sentence per image file that cannot be decoded; empty where none was decoded.
        decoded: whether every image file was decoded.
        problems: a sentence per finding that keeps the folder from being used as it is, unreadable images included.
    """

    classes: dict[str, int]
    splits: dict[str, dict[str, int]]
    without_images: tuple[str, ...]
    unlisted: tuple[str, ...]
    unreadable: tuple[str, ...]
    decoded: bool
    problems: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether the folder can be trained on as it is."""
        return not self.problems


def check_folder(reader: Reader, root: Path, decode: bool) -> FolderReport:
    """Run the reader on a folder of the user's own images, and report what it reads; nothing is written."""
    problems: list[str] = []
    found, table = _found(root, problems), _table(root, problems)
    names = table.classes if table else ()
    benchmark = attempt(lambda: reader.load(root), problems) if not problems else None
    class_of = {os.path.normpath(root / file): name for name, files in found.items() for file in files}
    listed = _listed(benchmark) if benchmark else {}
    counts = Counter((class_of | listed).values())
    unreadable = _unreadable([*(class_of | listed)]) if decode else ()
    unlisted = [file for file in class_of if file not in listed] if benchmark else []
    parts = {name: (root / name).exists() for name in ("images", "semantics.csv", "splits.csv", "places.csv")}
    return FolderReport(
        root=root,
        kind=reader.name,
        title=root.resolve().name,
        counts=counts_of((counts.total(), *(table.values.shape if table else (None, None)))),
        found=tuple(name for name, there in parts.items() if there),
        missing=tuple(f"{name}, which you write yourself" for name in ("images", "semantics.csv") if not parts[name]),
        classes={name: counts[name] for name in dict.fromkeys([*names, *found])},
        splits=_count(benchmark) if benchmark else {},
        without_images=tuple(name for name in names if not counts[name]),
        unlisted=tuple(Path(os.path.relpath(file, root)).as_posix() for file in unlisted),
        unreadable=unreadable,
        decoded=decode,
        notes=benchmark.notes if benchmark else (),
        problems=(*problems, *unreadable),
    )


def _found(root: Path, problems: list[str]) -> dict[str, list[str]]:
    if not (root / "images").is_dir() and (root / "splits.csv").is_file():
        # The table may list files anywhere below the folder.
        return {}
    return attempt(lambda: images_by_class(root), problems) or {}


def _table(root: Path, problems: list[str]) -> ClassSemantics | None:
    return attempt(lambda: ClassSemantics.from_csv(root / "semantics.csv"), problems)


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
    """Return the class of every image file that is used."""
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
