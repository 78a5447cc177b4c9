"""Official archives: their parts and published totals, their check, and the benchmark under a split."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.data._benchmark import Benchmark, Split
from rezsl.data._data_files import read_lines
from rezsl.data._held_out import draw_split
from rezsl.data._images import Crop, file_of
from rezsl.data._proposed_split import read_proposed_split
from rezsl.data._readers import Inventory, Loader, MissingPartError, Reader, attempt, counts_of, reader
from rezsl.data._split_file import XLSA17
from rezsl.errors import DataError, name_some
from rezsl.files import check_folder, local_path, naming
from rezsl.semantics import ClassSemantics


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
        """Return the path of the part, or None where it is in none of its places."""
        return next((root / place for place in self.places if (root / place).exists()), None)


def within(folder: str, *places: str) -> tuple[str, ...]:
    """Return places of a part for users who name the unpacked folder, and for users who name its parent."""
    return (*places, *(f"{folder}/{place}" for place in places))


def parts_within(folder: str, download: str, *names: str) -> tuple[Part, ...]:
    """Return parts that lie in the unpacked folder under their own names."""
    return tuple(Part(name, within(folder, name), download) for name in names)


@dataclass(frozen=True)
class Totals:
    """Published totals of a data set, which show whether a directory contains all of it.

    Attributes:
        title: its name in papers.
        images: number of images (aPY: objects in images; GTSRB: images of the training archive).
        classes: number of classes.
        attributes: number of attributes.
        unseen: number of classes without training images. Xian et al. (TPAMI 2018), table 1, except GTSRB.
        validation: number of validation classes among the other classes, from the same table.
        split: whether a split of xlsa17 exists ("none" for GTSRB), or is required, because it contains the
            class semantics (FLO).
    """

    title: str
    images: int
    classes: int
    attributes: int
    unseen: int
    validation: int
    split: Literal["exists", "required", "none"] = "exists"

    @property
    def counts(self) -> tuple[int, int, int]:
        """Images, classes and attributes."""
        return self.images, self.classes, self.attributes

    @property
    def split_download(self) -> str:
        """What to download for the proposed split."""
        return f"the {self.title} version of {XLSA17}" if self.split == "required" else XLSA17


@dataclass(frozen=True, kw_only=True)
class Archive:
    """The official archive of a data set.

    Attributes:
        totals: its published totals.
        parts: its files and folders, all of them necessary.
        signs: names of files and folders that only this data set has, for :attr:`rezsl.data.Reader.signs`.
        counters: how images, classes and attributes are counted in an archive that cannot be loaded, because something
            is missing: the name of a list with a line for each, or a function that reads only the parts that it needs,
            and opens no image.
    """

    totals: Totals
    parts: tuple[Part, ...]
    signs: tuple[str, ...]
    counters: "Sequence[str | Callable[[Unpacked], int]]"

    def reader(self, name: str) -> Callable[[Loader], Loader]:
        """Register the decorated loader of this archive."""
        return reader(name, self.totals.title, dict.fromkeys(self.signs, 3), self.check, self.totals)

    def check(self, reader: Reader, root: Path, _: bool) -> Inventory:
        """Run the reader on a directory, and report what is there and what is missing."""
        here, totals, damaged = Unpacked(self, root), self.totals, list[str]()
        absent = [part for part in self.parts if part.locate(root) is None]
        missing, downloads = [part.name for part in absent], [part.download for part in absent]
        benchmark = attempt(lambda: reader.load(root), damaged)
        found: Sequence[int | None]
        if benchmark is not None:
            found = (len(benchmark.labels), *benchmark.semantics.values.shape)
        else:
            found = [attempt(lambda count=count: here.count(count), damaged) for count in self.counters]  # type: ignore[misc] # bound at once
        if found[0] is not None and found[0] < totals.images:
            missing.append(f"{totals.images - found[0]:,} of {totals.images:,} images")
            downloads.append(self.parts[-1].download)
        notes = []
        if (splits := here.find_splits()) is not None:
            notes.append(f"proposed split found in {splits}")
        elif totals.split == "required":
            missing.append("att_splits.mat, with the class semantics, and a feature file with image_files")
            downloads.append(totals.split_download)
        elif totals.split == "exists":
            notes.append(
                f"no proposed split in or beside it: classes would be held out by a seed; give splits, of {XLSA17}"
            )
        return Inventory(
            root=root,
            kind=reader.name,
            title=totals.title,
            counts=counts_of(found, totals.counts),
            found=tuple(part.name for part in self.parts if part not in absent),
            missing=(*missing, *damaged),
            downloads=tuple(dict.fromkeys(downloads)),
            notes=tuple(notes),
        )


@dataclass(frozen=True)
class Unpacked:
    """An archive in the directory ``root`` that the user named."""

    archive: Archive
    root: Path

    def path(self, name: str) -> Path:
        """Return the path of a part."""
        part = next(part for part in self.archive.parts if part.name == name)
        found = part.locate(self.root)
        if found is None:
            check_folder(self.root, f"the archive of {self.archive.totals.title}", DataError)
            raise MissingPartError(
                f"{self.root}: expected {name} of {self.archive.totals.title}, found none; download {part.download}"
            )
        return found

    def find_splits(self) -> Path | None:
        """Return the directory of the proposed split: the archive, or one of xlsa17 in or beside it; None without."""
        if self.archive.totals.split == "none":
            return None
        title = self.archive.totals.title
        above = [place / "xlsa17" / "data" for place in (self.root, self.root.parent)]
        places = [self.root, *(place / name for place in above for name in dict.fromkeys((title, title.upper())))]
        return next((place for place in places if (place / "att_splits.mat").is_file()), None)

    def count(self, counter: "str | Callable[[Unpacked], int]") -> int:
        """Return the number of lines of a list, or the result of a function."""
        return len(read_lines(self.path(counter))) if isinstance(counter, str) else counter(self)

    def count_files(self, name: str, suffix: str) -> int:
        """Return the number of files below a folder whose names end with a suffix, without hidden files."""
        return sum(
            file.lower().endswith(suffix) and not file.startswith(".")
            for _, _, files in os.walk(self.path(name))
            for file in files
        )

    def check_present(self, inputs: Sequence[Path | Crop]) -> None:
        """Raise a :class:`DataError` that counts the images that do not exist or lie elsewhere, and names some."""
        files = dict.fromkeys(file_of(source) for source in inputs)
        places = [self.root, *(found for part in self.archive.parts if (found := part.locate(self.root)))]
        parts = {Path(os.path.abspath(place)) for place in places}
        if outside := [str(file) for file in files if parts.isdisjoint(Path(os.path.abspath(file)).parents)]:
            raise DataError(
                f"{self.root}: expected images inside the archive, got {name_some(outside, most=3)} in its lists; "
                f"unpack the archive again"
            )
        if absent := [file for file in files if not os.path.isfile(file)]:  # a name may be too long for Path.is_file
            names = [os.path.relpath(file, self.root) for file in absent]
            raise DataError(
                f"{self.root}: {len(absent):,} of {len(files):,} images do not exist: {name_some(names, most=3)}; "
                f"unpack the archive of images again"
            )

    def benchmark(
        self,
        inputs: Sequence[Path | Crop],
        labels: Int[Tensor, "N"],
        semantics: ClassSemantics,
        splits: str | Path | Split | None = None,
        seed: int = 0,
        groups: Int[Tensor, "N"] | None = None,
        notes: Sequence[str] = (),
        agreeing: int = 2,
    ) -> Benchmark:
        """Return the benchmark under the proposed split, or without one under a split drawn in the published shares.

        ``splits`` is a split, or xlsa17's split file or its directory; None searches for it in and beside the archive.
        The last ``agreeing`` parts of an image's path must be equal in the split's list of images. A note is added
        where the archive is not whole. An image that does not exist is a :class:`DataError`.
        """
        self.check_present(inputs)
        files, whole = [file_of(source) for source in inputs], self.archive.totals
        place = self.find_splits() if splits is None else splits
        if isinstance(place, Split):
            split = place
        elif place is not None:
            proposed = read_proposed_split(local_path(place))
            split = proposed.join(self.root, files, [semantics.classes[row] for row in labels], agreeing)
            # The archive's own class semantics are used, so notes on those of the split file do not apply.
            notes = [*notes, proposed.note, *(note for note in proposed.file.notes if "class semantics" not in note)]
        else:
            shares = whole.unseen / whole.classes, whole.validation / (whole.classes - whole.unseen)
            with naming(self.root):
                split = draw_split(labels, groups, *shares, seed)
            unseen, validation = (semantics.classes_of(labels[part]) for part in (split.test_unseen, split.val))
            drawn = f"no proposed split: seed {seed} drew {len(unseen)} unseen classes ({name_some(unseen)}), "
            also = f"{len(validation)} validation classes, and a fifth of each seen class's images to test on"
            notes = [*notes, drawn + also]
        if (len(inputs), len(semantics.classes)) != (whole.images, whole.classes):
            part = (
                f"{len(inputs):,} images of {len(semantics.classes):,} classes, where the whole of {whole.title} has "
                f"{whole.images:,} of {whole.classes:,}: metrics on this part cannot be compared with published ones"
            )
            notes = [part, *notes]
        with naming(self.root):
            return Benchmark(whole.title, inputs, labels, semantics, split, groups, notes=tuple(notes))


def class_means(labels: Int[Tensor, "N"], values: Float[Tensor, "N S"], class_count: int) -> Float[Tensor, "C S"]:
    """Return the mean of the rows of each class; every class must have one."""
    sums = torch.zeros(class_count, values.shape[1], dtype=values.dtype).index_add(0, labels, values)
    return sums / labels.bincount(minlength=class_count).unsqueeze(1)
