"""Official archives: their parts, where each may lie, what to download for it, and the published totals."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rezsl.data._readers import Inventory, MissingPartError, Reader, attempt, counts_of, refuse_decoding
from rezsl.data._split_file import XLSA17, find_splits


@dataclass(frozen=True)
class Part:
    """A file or folder of an archive.

    Attributes:
        name: its name in the archive.
        places: paths relative to the user's directory where it may lie, the likeliest first.
        download: what to download for it: name, size, and who publishes it.
    """

    name: str
    places: tuple[str, ...]
    download: str

    def locate(self, root: Path) -> Path | None:
        """Path of the part, or None where it is in none of its places."""
        candidates = (root / place for place in self.places)
        return next((candidate for candidate in candidates if candidate.exists()), None)


def within(folder: str, *places: str) -> tuple[str, ...]:
    """Places of a part for users who name the unpacked folder, and for users who name its parent."""
    return (*places, *(f"{folder}/{place}" for place in places))


def parts_within(folder: str, download: str, *names: str) -> tuple[Part, ...]:
    """Parts that lie in the unpacked folder under their own names."""
    return tuple(Part(name, within(folder, name), download) for name in names)


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Published totals of a data set, by which a complete one is told from a part of it.

    Attributes:
        title: its name in papers.
        images: number of images (aPY: objects in images; GTSRB: images of the training archive).
        classes: number of classes.
        attributes: number of attributes.
        unseen: number of classes without training images. Xian et al. (TPAMI 2018), table 1, except GTSRB.
        validation: number of validation classes among the other classes, from the same table.
        proposed_split: whether a split of xlsa17 exists ("none" for GTSRB), or is required, because it contains the
            class semantics (FLO).
    """

    title: str
    images: int
    classes: int
    attributes: int
    unseen: int
    validation: int
    proposed_split: Literal["exists", "required", "none"] = "exists"

    @property
    def counts(self) -> tuple[int, int, int]:
        """Images, classes and attributes."""
        return self.images, self.classes, self.attributes

    @property
    def split_download(self) -> str:
        """What to download for the proposed split."""
        return f"the {self.title} version of {XLSA17}" if self.proposed_split == "required" else XLSA17

    def shortfall(self, images: int, classes: int) -> tuple[str, ...]:
        """A note where the numbers differ from the published ones; no note where they are equal."""
        if (images, classes) == (self.images, self.classes):
            return ()
        return (
            f"{images:,} images of {classes:,} classes, where the whole of {self.title} has {self.images:,} of "
            f"{self.classes:,}: figures on this part cannot be compared with published ones",
        )


@dataclass(frozen=True, kw_only=True)
class Archive(Totals):
    """The official archive of a data set.

    Attributes:
        parts: its files and folders, all of them necessary.
        signs: see :attr:`rezsl.data.Reader.signs`.
        counters: functions that count images, classes and attributes in an archive that cannot be loaded, because
            something is missing; each reads only the parts that it needs, and opens no image.
    """

    parts: tuple[Part, ...]
    signs: Mapping[str, int]
    counters: "tuple[Callable[[Unpacked], int], Callable[[Unpacked], int], Callable[[Unpacked], int]]" = field(
        compare=False
    )

    def at(self, root: str | Path) -> "Unpacked":
        """The archive in a user's directory."""
        return Unpacked(self, Path(root))

    def check(self, reader: Reader, root: Path, decode: bool) -> Inventory:
        """Run the reader on a directory, and report what is there and what is missing."""
        refuse_decoding(root, decode)
        here, damaged = self.at(root), list[str]()
        absent = [part for part in self.parts if part.locate(root) is None]
        missing, downloads = [part.name for part in absent], [part.download for part in absent]
        benchmark = attempt(lambda: reader.load(root), damaged)
        found: Sequence[int | None]
        if benchmark is not None:
            found = (len(benchmark.labels), *benchmark.semantics.values.shape)
        else:
            found = [attempt(lambda count=count: count(here), damaged) for count in self.counters]  # type: ignore[misc] # bound at once
        if found[0] is not None and found[0] < self.images:
            missing.append(f"{self.images - found[0]:,} of {self.images:,} images")
            downloads.append(self.parts[-1].download)
        notes: tuple[str, ...] = ()
        if (splits := here.find_splits()) is not None:
            notes = (f"proposed split found in {splits}",)
        elif self.proposed_split == "required":
            missing.append("att_splits.mat and a feature file with image_files, which hold the class semantics")
            downloads.append(self.split_download)
        elif self.proposed_split == "exists":
            notes = (
                f"no proposed split in or beside it: classes would be held out by a seed; give splits, of {XLSA17}",
            )
        return Inventory(
            root=root,
            kind=reader.name,
            title=self.title,
            counts=counts_of(found, self.counts),
            found=tuple(part.name for part in self.parts if part not in absent),
            missing=(*missing, *damaged),
            downloads=tuple(dict.fromkeys(downloads)),
            notes=notes,
        )


@dataclass(frozen=True)
class Unpacked:
    """An archive in a user's directory.

    Attributes:
        archive: the archive.
        root: the directory that the user named.
    """

    archive: Archive
    root: Path

    def path(self, name: str) -> Path:
        """Path of a part.

        Raises:
            MissingPartError: the part is in none of its places; the message says what to download.
        """
        part = next(part for part in self.archive.parts if part.name == name)
        found = part.locate(self.root)
        if found is None:
            raise MissingPartError(
                f"{self.root}: expected {name} of {self.archive.title}, found none; download {part.download}"
            )
        return found

    def find_splits(self) -> Path | None:
        """Directory of the proposed split in or beside the archive, or None."""
        return None if self.archive.proposed_split == "none" else find_splits(self.root, self.archive.title)

    def count_files(self, name: str, suffix: str) -> int:
        """Number of files below a part, a folder, whose names end with a suffix; hidden files are not counted."""
        return sum(
            file.lower().endswith(suffix) and not file.startswith(".")
            for _, _, files in os.walk(self.path(name))
            for file in files
        )

    def count_present(self, name: str, files: Sequence[str]) -> int:
        """Number of the entries of a list that are files in a part, a folder; repeated entries count repeatedly."""
        folder = self.path(name)
        there = {file: (folder / file).is_file() for file in set(files)}
        return sum(there[file] for file in files)
