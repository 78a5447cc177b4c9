"""The registry of readers: a file of this package registers its loader, and a directory is checked by its reader."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rezsl.data._benchmark import Benchmark
from rezsl.errors import ArgumentError, DataError
from rezsl.files import check_folder, folder_around, folder_name, local_path
from rezsl.semantics import Finding

if TYPE_CHECKING:
    from rezsl.data._archive import Totals

Loader = TypeVar("Loader", bound=Callable[..., Benchmark])
Value = TypeVar("Value")

Check = Callable[["Reader", Path, bool], "Inventory"]

READERS: "dict[str, Reader]" = {}
"""Every reader by its name on the command line, ``--data NAME``."""


class MissingPartError(DataError):
    """A part of a data set does not exist; the message names what to download."""


@dataclass(frozen=True)
class Count:
    """A number that was counted in a directory.

    Attributes:
        what: images, classes or attributes.
        found: the number, or None where the file that contains it is missing or damaged.
        expected: the published number, or None where the data set has none.
    """

    what: str
    found: int | None
    expected: int | None = None

    @property
    def right(self) -> bool:
        """Whether the number is the expected one, or at least 1 where none is expected."""
        return bool(self.found) if self.expected is None else self.found == self.expected


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """The result of the check of a directory.

    Attributes:
        root: the directory.
        kind: name of the reader of such a directory, or "unknown".
        title: name of the data set, or of the directory where the data are the user's own.
        counts: images, classes and attributes against the published totals.
        found: parts that exist.
        missing: parts that do not exist, are damaged or lack something, one message each.
        downloads: what to download for them: name, size, and who publishes it.
        notes: remarks, one sentence each.
        findings: what in the table of the user's own folder keeps a model from recognising the unseen classes.
    """

    root: Path
    kind: str
    title: str
    counts: tuple[Count, ...] = ()
    found: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    downloads: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether nothing is missing and every count is right."""
        return self.kind != "unknown" and not self.missing and all(count.right for count in self.counts)


@dataclass(frozen=True, kw_only=True)
class FolderReport(Inventory):
    """The result of the check of a user's own images, in a folder, in tar files or in tables, with ``semantics.csv``.

    Attributes:
        classes: number of image files by class: the table's classes in its order, then folders without a row.
        splits: number of images by class and split, as the reader reads them; empty where it cannot read the folder.
            Without validation classes, ``train`` is everything that is trained on.
        without_images: classes of the table that have no image.
        unlisted: image files that ``splits.csv`` leaves out.
        passed_over: files below ``images`` or in shards that are not read, such as photos in formats that need another
            package; the notes say why.
        unreadable: a sentence per image file that cannot be decoded; empty where none was decoded.
        decoded: whether every image file was decoded.
        problems: a sentence per finding that keeps the folder from being used as it is, unreadable images included.
    """

    classes: dict[str, int]
    splits: dict[str, dict[str, int]]
    without_images: tuple[str, ...]
    unlisted: tuple[str, ...]
    passed_over: tuple[str, ...]
    unreadable: tuple[str, ...]
    decoded: bool
    problems: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether the folder can be trained on as it is."""
        return not self.problems


@dataclass(frozen=True)
class Reader:
    """A data set that rezsl reads.

    Attributes:
        name: its name on the command line.
        load: the function that returns its benchmark.
        title: the data set or layout, in a few words.
        signs: patterns of files whose presence shows that a directory is meant for this reader, with weights: 4 for a
            file that the user writes for this reader (more where another file lies beside it, ``A + B``), 3 for a file
            of this data set only, 2 and 1 for a file of a layout that several data sets share. The reader of the
            heaviest sign checks the directory.
        check: returns the inventory of a directory, given the reader, the directory, and whether to decode all images;
            None where the data do not come from a directory.
        totals: the published totals of the data set; None where the reader reads any data set.
        decodes: whether the check can decode all images.
    """

    name: str
    load: Callable[..., Benchmark]
    title: str = ""
    signs: Mapping[str, int] = field(default_factory=dict)
    check: "Check | None" = None
    totals: "Totals | None" = None
    decodes: bool = False

    def weight(self, root: Path) -> int:
        """Return the weight of the heaviest sign in a directory; 0 where it has none."""

        def there(sign: str) -> bool:
            return all(any(root.glob(pattern)) for pattern in sign.split(" + "))

        return max((weight for sign, weight in self.signs.items() if there(sign)), default=0)


def reader(
    name: str,
    title: str = "",
    signs: Mapping[str, int] | None = None,
    check: Check | None = None,
    totals: "Totals | None" = None,
    decodes: bool = False,
) -> Callable[[Loader], Loader]:
    """Register the decorated loader; the arguments are the attributes of :class:`Reader`."""

    def register(load: Loader) -> Loader:
        READERS[name] = Reader(name, load, title, signs or {}, check, totals, decodes)
        return load

    return register


def check_directory(root: str | Path, decode: bool = False) -> Inventory:
    """Check which data set a directory contains, and whether it is complete.

    Image files are counted but not opened, unless ``decode`` is true.

    Args:
        root: an unpacked official archive (CUB, AWA2, SUN, aPY, flowers, GTSRB) or the directory that contains it, a
            directory of xlsa17, or a folder with ``semantics.csv`` and ``images``, tar files, or a data set of Hugging
            Face.
        decode: decode every image of the user's own, which takes minutes for many.

    Raises:
        DataError: the directory does not exist.
        ArgumentError: ``decode`` is true for another kind of directory.
    """
    root = local_path(root)
    check_folder(root, "a data set", DataError)
    found = _recognize(root)
    # The folder of the images alone is a likely mistake: the table lies beside it.
    around = _recognize(root.absolute().parent) if found is None and root.resolve().name == "images" else None
    hint = f"{root} is a part of {around.title}: give the folder around it, {folder_around(root)}" if around else ""
    if decode and (found is None or not found.decodes):
        raise ArgumentError(
            f"decode: expected a folder of one's own images, but {root} has no semantics.csv{hint and '; '}{hint}"
        )
    if found is not None and found.check is not None:
        return found.check(found, root, decode)
    entries = sorted(entry for entry in root.iterdir() if not entry.name.startswith("."))
    inside = [(entry.name, _recognize(entry)) for entry in entries if entry.is_dir()]
    titles = ", ".join(candidate.title for candidate in READERS.values() if candidate.check)
    return Inventory(
        root=root,
        kind="unknown",
        title=folder_name(root),
        found=tuple(entry.name for entry in entries[:10]),
        missing=(f"a directory of one of: {titles}",),
        notes=(
            *([hint] if hint else []),
            *(f"{name} contains {known.name}: name that directory" for name, known in inside if known),
        ),
    )


def _recognize(root: Path) -> Reader | None:
    """Return the reader that checks a directory, or None where the directory has no sign of any."""
    best = max(READERS.values(), key=lambda candidate: candidate.weight(root))
    return best if best.weight(root) else None


def attempt(read: Callable[[], Value], damaged: list[str]) -> Value | None:
    """Return the result of a function, or None where a part is missing or damaged; the damage is listed once."""
    try:
        return read()
    except MissingPartError:
        return None
    except DataError as error:
        if str(error) not in damaged:
            damaged.append(str(error))
        return None


def counts_of(found: Sequence[int | None], expected: Sequence[int | None] = (None, None, None)) -> tuple[Count, ...]:
    """Return the counts of images, classes and attributes, in this order."""
    return tuple(map(Count, ("images", "classes", "attributes"), found, expected))
