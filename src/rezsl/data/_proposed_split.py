"""A proposed split is joined with an archive: images by the end of their paths, classes by name."""

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from operator import eq
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from rezsl.data._benchmark import Split
from rezsl.data._data_files import read_matlab, strings_of
from rezsl.data._split_file import XLSA17, SplitFile, feature_files, read_labels, read_split_file
from rezsl.errors import DataError, name_some
from rezsl.semantics import did_you_mean, plain_name


@dataclass(frozen=True, eq=False)
class ProposedSplit:
    """A split file, and the list of images that its indices count.

    Attributes:
        file: the contents of the split file.
        feature_path: the file with the list of images.
        image_files: path of every row's image on the computer where the file was made.
        labels: class of every row, ``[N]``, a row of the class semantics.
    """

    file: SplitFile
    feature_path: Path
    image_files: tuple[str, ...]
    labels: Int[Tensor, "N"]

    @property
    def note(self) -> str:
        """The note of a benchmark under this split."""
        return f"proposed split of {self.file.path}"

    def join(self, root: Path, files: Sequence[Path], class_names: Sequence[str], agreeing: int) -> Split:
        """Return the split as indices into an archive's images; the split file must name its classes.

        Classes or images that are on one side only, and labels that contradict each other, are an error. ``root`` is
        the archive, for messages. ``files`` and ``class_names`` are those of the archive's images, and ``agreeing`` is
        how many of the last parts of two paths must be equal: 2 for ``<class folder>/<file>``.
        """
        names = self.file.semantics.classes
        _check_same(names, tuple(dict.fromkeys(class_names)), "classes", self.file.path, root)
        listed = [names[label] for label in self.labels.tolist()]
        position = self.match(root, files, agreeing, (listed, class_names))
        wrong = [
            f"{self.image_files[row]} is {listed[row]}"
            for row, found in enumerate(position.tolist())
            if class_names[found] != listed[row]
        ]
        if wrong:
            raise DataError(
                f"{self.feature_path}: {len(wrong):,} labels, read with the names in {self.file.path.name}, "
                f"contradict the archive: {name_some(wrong, most=2)}; take both files from one folder of xlsa17"
            )
        return self.file.split.moved(position)

    def match(
        self,
        root: Path,
        files: Sequence[Path],
        agreeing: int,
        class_names: tuple[Sequence[str], Sequence[str]] | None = None,
    ) -> Int[Tensor, "N"]:
        """Return for every row the position of its image in ``files``.

        A row is joined with the image whose path has the longest end in common with the row's path. Several objects of
        an image are distinguished by class, and those of one class are joined in the order in which both sides list
        them. ``class_names`` are those of the rows and those of ``files``; the rest is as for :meth:`join`.
        """
        paths = [tuple(map(plain_name, reversed(file.parts))) for file in files]
        by_name: defaultdict[str, list[int]] = defaultdict(list)
        for entry, path in enumerate(paths):
            by_name[path[0]].append(entry)
        taken: Counter[tuple[Path, str]] = Counter()
        position, unmatched, ambiguous = [], [], []
        for row, image in enumerate(self.image_files):
            best = _nearest(tuple(map(plain_name, reversed(image.split("/")))), paths, by_name, agreeing)
            label = ""
            if class_names is not None:
                label = class_names[0][row]
                best = [entry for entry in best if class_names[1][entry] == label] or best
            if len({files[entry] for entry in best}) > 1:
                ambiguous.append(image)
                continue
            turn = taken[files[best[0]], label] if best else 0
            if turn >= len(best):
                unmatched.append(image)
                continue
            taken[files[best[0]], label] += 1
            position.append(best[turn])
        source, total = self.feature_path, len(self.image_files)
        for images, problem in ((ambiguous, "fit several images"), (unmatched, "have no image left")):
            if images:
                raise DataError(
                    f"{source}: {len(images):,} of {total:,} rows {problem} of {root}: {name_some(images, most=3)}; "
                    f"is the archive whole, and of the same data set?"
                )
        joined = set(position)
        rest = [os.path.relpath(file, root) for entry, file in enumerate(files) if entry not in joined]
        _check_same((), rest, "images", source, root)
        return torch.tensor(position)


def read_proposed_split(splits: Path) -> ProposedSplit:
    """Read a split file, or ``att_splits.mat`` of a directory, and ``image_files`` of the feature file beside it."""
    file = read_split_file(_split_path(splits))
    proposed = _with_image_list(file)
    last, count = max(int(index.max()) for index in file.split.parts().values() if len(index)), len(proposed.labels)
    if last >= count:
        raise DataError(
            f"{file.path}: lists image {last + 1:,}, but {proposed.feature_path.name} has {count:,}; take both from "
            f"one folder of xlsa17"
        )
    return proposed


def _split_path(splits: Path) -> Path:
    if not splits.is_dir():
        return splits
    if (splits / "att_splits.mat").is_file():
        return splits / "att_splits.mat"
    found = sorted(splits.glob("*_splits.mat"))
    if len(found) == 1:
        return found[0]
    names = ", ".join(file.name for file in found) or "none"
    raise DataError(f"{splits}: expected att_splits.mat, got {names}; name the split file, or download {XLSA17}")


def _with_image_list(file: SplitFile) -> ProposedSplit:
    """Return the split with the images and labels of the first feature file that lists images."""
    folder = file.path.parent
    others = feature_files(folder)
    for path in others:
        # The features, up to a gigabyte, are not read, because only the list of images is needed.
        content = read_matlab(path, ("image_files", "labels"))
        if content.keys() < {"image_files", "labels"}:
            continue
        image_files = tuple(name.replace("\\", "/") for name in strings_of(content, "image_files", path))
        labels = read_labels(content, path, file)
        if len(labels) != len(image_files):
            raise DataError(
                f"{path}: expected one label per image, got {len(image_files):,} in 'image_files' and {len(labels):,} "
                f"in 'labels'; download {XLSA17}"
            )
        return ProposedSplit(file, path, image_files, labels)
    # A file that was cut off within its features reads as one without further variables.
    tried = ", ".join(path.name for path in others)
    got = f"only {tried} without them, perhaps cut short in copying" if others else "none"
    raise DataError(
        f"{folder}: expected res101.mat or another feature file with 'image_files' and 'labels' beside "
        f"{file.path.name}, whose indices count its rows, got {got}; download {XLSA17}"
    )


def _nearest(
    path: tuple[str, ...], paths: Sequence[tuple[str, ...]], by_name: dict[str, list[int]], agreeing: int
) -> list[int]:
    """Return the entries that have the longest end in common with a path, if it has at least ``agreeing`` parts.

    All paths are reversed, so that an end in common is a beginning in common.
    """
    lengths = {entry: sum(takewhile(bool, map(eq, path, paths[entry]))) for entry in by_name.get(path[0], ())}
    longest = max(lengths.values(), default=0)
    return [entry for entry, length in lengths.items() if length == longest >= agreeing]


def _check_same(listed: Sequence[str], present: Sequence[str], what: str, source: Path, root: Path) -> None:
    listed_names, present_names = set(listed), set(present)
    absent = [name for name in listed if name not in present_names]
    extra = [name for name in present if name not in listed_names]
    if absent or extra:
        absent_text = f"; {len(absent):,} only in the file: {name_some(absent, most=3)}" if absent else ""
        extra_text = f"; {len(extra):,} only in {root}: {name_some(extra, most=3)}" if extra else ""
        hint = did_you_mean(absent, extra) if what == "classes" else ""
        raise DataError(
            f"{source}: expected the {what} of the archive{absent_text}{extra_text}{hint}"
            "; give the split of this archive"
        )
