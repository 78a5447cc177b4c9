"""What a directory holds, what it lacks, and what to download for it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from rezsl.data import census
from rezsl.data.census import Census
from rezsl.data.known import APY, AWA2, CUB, FLO, GTSRB, SUN, KnownDataSet
from rezsl.data.layout import Layout, locate
from rezsl.data.layouts import APY as APY_LAYOUT
from rezsl.data.layouts import AWA2 as AWA2_LAYOUT
from rezsl.data.layouts import CUB as CUB_LAYOUT
from rezsl.data.layouts import FLOWERS as FLOWERS_LAYOUT
from rezsl.data.layouts import GTSRB as GTSRB_LAYOUT
from rezsl.data.layouts import SUN as SUN_LAYOUT
from rezsl.data.layouts import XLSA17
from rezsl.data.proposed_split import find_splits
from rezsl.data.xlsa17_inventory import xlsa17_census, xlsa17_data_set
from rezsl.errors import DataError

Kind = Literal["cub", "awa2", "sun", "apy", "flowers", "gtsrb", "xlsa17", "folder", "unknown"]


@dataclass(frozen=True)
class Count:
    """How many of something there are.

    Attributes:
        what: images, classes or attributes.
        found: how many, or None where the file that tells is missing or damaged.
        expected: how many the whole data set has, or None where that is anybody's own.
    """

    what: str
    found: int | None
    expected: int | None

    @property
    def right(self) -> bool:
        """Whether as many are there as there should be; at least one where nobody knows how many."""
        return bool(self.found) if self.expected is None else self.found == self.expected


@dataclass(frozen=True)
class Inventory:
    """What a directory holds of which data set.

    Attributes:
        root: the directory.
        kind: what ``--data`` calls the reader of such a directory; "unknown" where nothing is recognised.
        title: the data set's name, or the directory's where it is one's own.
        found: parts that are there.
        missing: parts that are not there, are damaged, or lack something; each says which.
        downloads: what to download for them: name, size, and whose page has it.
        counts: images, classes and attributes against the published totals.
        notes: what is worth knowing, one sentence each.
    """

    root: Path
    kind: Kind
    title: str
    found: tuple[str, ...]
    missing: tuple[str, ...]
    downloads: tuple[str, ...]
    counts: tuple[Count, ...]
    notes: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether nothing is missing and every count is right."""
        return self.kind != "unknown" and not self.missing and all(count.right for count in self.counts)


_ARCHIVES: tuple[tuple[Kind, Layout, KnownDataSet, Callable[[Layout, Path], Census]], ...] = (
    ("cub", CUB_LAYOUT, CUB, census.of_cub),
    ("awa2", AWA2_LAYOUT, AWA2, census.of_awa2),
    ("sun", SUN_LAYOUT, SUN, census.of_sun),
    ("apy", APY_LAYOUT, APY, census.of_apy),
    ("flowers", FLOWERS_LAYOUT, FLO, census.of_flowers),
    ("gtsrb", GTSRB_LAYOUT, GTSRB, census.of_gtsrb),
)


def inspect_directory(root: str | Path) -> Inventory:
    """Recognise which data set a directory holds, and whether all of it.

    Image files are counted, not opened.

    Args:
        root: an unpacked official archive (CUB, AWA2, SUN, aPY, flowers, GTSRB), a directory of xlsa17, a folder with
            ``images`` and ``semantics.csv``, or the directory that holds one of these archives.

    Raises:
        DataError: there is no such directory.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"{root}: expected a directory, got {'a file' if root.exists() else 'nothing'}")
    kind = _kind(root)
    if kind == "xlsa17":
        return _of_xlsa17(root)
    if kind == "folder":
        return _of_folder(root)
    if kind == "unknown":
        return _of_nothing_known(root)
    _, layout, known, count = next(entry for entry in _ARCHIVES if entry[0] == kind)
    return _of_archive(root, kind, layout, known, count(layout, root))


def _of_nothing_known(root: Path) -> Inventory:
    entries = sorted(entry for entry in root.iterdir() if not entry.name.startswith("."))
    archives = ", ".join(known.title for _, _, known, _ in _ARCHIVES)
    expected = f"an unpacked archive of one of {archives}, a directory of xlsa17, or images/ and semantics.csv"
    inside = [f"{entry.name} holds {_kind(entry)}: name that directory" for entry in entries if entry.is_dir()]
    notes = tuple(note for note in inside if "holds unknown" not in note)
    names = tuple(entry.name for entry in entries[:10])
    return Inventory(root, "unknown", root.resolve().name, names, (expected,), (), (), notes)


def _kind(root: Path) -> Kind:
    for kind, layout, _, _ in _ARCHIVES:
        if any((root / sign).exists() for sign in layout.signs):
            return kind
    if list(root.glob("*_splits.mat")) or (root / "res101.mat").is_file():
        return "xlsa17"
    return "folder" if (root / "semantics.csv").is_file() or (root / "images").is_dir() else "unknown"


def _of_archive(root: Path, kind: Kind, layout: Layout, known: KnownDataSet, numbers: Census) -> Inventory:
    present = {part: locate(root, part) is not None for part in layout.parts}
    missing = [part.name for part, there in present.items() if not there]
    downloads = [part.download for part, there in present.items() if not there]
    if numbers.images is not None and numbers.images < known.images:
        missing.append(f"{known.images - numbers.images:,} of {known.images:,} images")
        downloads.append(layout.parts[-1].download)
    missing += numbers.damaged
    splits = find_splits(root, known.title)
    notes: tuple[str, ...] = ()
    if kind == "flowers" and splits is None:
        missing.append("att_splits.mat and a feature file with image_files, which hold the class semantics")
        downloads.append(f"the FLO version of {XLSA17}")
    elif splits is not None:
        notes = (f"proposed split found in {splits}",)
    elif kind != "gtsrb":
        notes = (f"no proposed split in or beside it: classes would be held out by a seed; give splits, of {XLSA17}",)
    return Inventory(
        root=root,
        kind=kind,
        title=known.title,
        found=tuple(part.name for part, there in present.items() if there),
        missing=tuple(missing),
        downloads=tuple(dict.fromkeys(downloads)),
        counts=_counts(numbers, known),
        notes=notes,
    )


def _of_xlsa17(root: Path) -> Inventory:
    numbers, found, missing, notes = xlsa17_census(root)
    known = xlsa17_data_set(root, numbers)
    downloads: tuple[str, ...] = (XLSA17,) if missing or numbers.damaged else ()
    title = known.title if known is not None else root.resolve().name
    if known is FLO:
        downloads = tuple(f"the FLO version of {name}" for name in downloads)
    if known is not None and numbers.attributes != known.attributes and not (root / "att_splits.mat").is_file():
        notes += (f"the split file describes classes by {numbers.attributes} numbers of its own",)
        known = replace(known, attributes=numbers.attributes or known.attributes)
    return Inventory(
        root, "xlsa17", title, found, (*missing, *numbers.damaged), downloads, _counts(numbers, known), notes
    )


def _of_folder(root: Path) -> Inventory:
    numbers = census.of_folder(root)
    there = {"images": (root / "images").is_dir(), "semantics.csv": (root / "semantics.csv").is_file()}
    found = [name for name, present in there.items() if present]
    found += ["splits.csv"] if (root / "splits.csv").is_file() else []
    missing = [f"{name}, which you write yourself" for name, present in there.items() if not present]
    return Inventory(
        root, "folder", root.resolve().name, tuple(found), (*missing, *numbers.damaged), (), _counts(numbers, None)
    )


def _counts(numbers: Census, known: KnownDataSet | None) -> tuple[Count, ...]:
    return (
        Count("images", numbers.images, None if known is None else known.images),
        Count("classes", numbers.classes, None if known is None else known.classes),
        Count("attributes", numbers.attributes, None if known is None else known.attributes),
    )
