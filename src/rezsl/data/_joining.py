"""The rows of a proposed split are joined with an archive: images by the end of their paths, classes by name."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from rezsl.data._split import Split
from rezsl.data._split_file import ProposedSplit
from rezsl.errors import DataError, name_some


def join_split(
    proposed: ProposedSplit, root: Path, files: Sequence[str], class_names: Sequence[str], agreeing: int
) -> Split:
    """Return the proposed split as indices into an archive's images.

    Args:
        proposed: the split, in rows of its feature file. Its classes must be named.
        root: the archive, for messages.
        files: path of every image within the archive; an image of several objects occurs several times.
        class_names: class of every image of the archive.
        agreeing: how many of the last parts of two paths must be equal: 2 for ``<class folder>/<file>``.

    Raises:
        DataError: a class or an image is on one side only, an image fits several, or labels contradict each other;
            the message counts them and names some.
    """
    names = proposed.semantics.classes
    _check_same(names, tuple(dict.fromkeys(class_names)), "classes", proposed.split_path, root)
    listed = [names[label] for label in proposed.labels.tolist()]
    position = match_images(proposed, root, files, agreeing, (listed, class_names))
    wrong = [
        f"{proposed.image_files[row]} is {listed[row]}"
        for row, found in enumerate(position.tolist())
        if class_names[found] != listed[row]
    ]
    if wrong:
        raise DataError(
            f"{proposed.feature_path}: {len(wrong):,} labels, read with the names in {proposed.split_path.name}, "
            f"contradict the archive: {name_some(wrong, most=2)}; take both files from one folder of xlsa17"
        )
    return reindexed(proposed.split, position)


def reindexed(split: Split, position: Int[Tensor, "N"]) -> Split:
    """Return a split of rows as a split of the images that the rows were joined with."""
    return Split(**{name: position[index] for name, index in split.parts().items()})


def match_images(
    proposed: ProposedSplit,
    root: Path,
    files: Sequence[str],
    agreeing: int,
    class_names: tuple[Sequence[str], Sequence[str]] | None = None,
) -> Int[Tensor, "N"]:
    """Return for every row the position of its image in ``files``.

    A row is joined with the image whose path has the longest end in common with the row's path. Several objects of an
    image are distinguished by class, and those of one class are joined in the order in which both sides list them.

    Args:
        proposed: the list of images.
        root: the archive, for messages.
        files: path of every image within the archive.
        agreeing: how many of the last parts of the paths must be equal.
        class_names: class of every row, and of every entry of ``files``.

    Raises:
        DataError: some images are on one side only, or fit several.
    """
    paths = [tuple(reversed(file.split("/"))) for file in files]
    by_name: defaultdict[str, list[int]] = defaultdict(list)
    for entry, path in enumerate(paths):
        by_name[path[0]].append(entry)
    taken: Counter[tuple[str, str]] = Counter()
    position, unmatched, ambiguous = [], [], []
    for row, image in enumerate(proposed.image_files):
        best = _nearest(tuple(reversed(image.split("/"))), paths, by_name, agreeing)
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
    source, total = proposed.feature_path, len(proposed.image_files)
    for images, problem in ((ambiguous, "fit several images"), (unmatched, "have no image left")):
        if images:
            raise DataError(
                f"{source}: {len(images):,} of {total:,} rows {problem} of {root}: {name_some(images, most=3)}; "
                f"is the archive whole, and of the same data set?"
            )
    joined = set(position)
    _check_same((), [file for entry, file in enumerate(files) if entry not in joined], "images", source, root)
    return torch.tensor(position)


def _nearest(
    path: tuple[str, ...], paths: Sequence[tuple[str, ...]], by_name: dict[str, list[int]], agreeing: int
) -> list[int]:
    """Return the entries that have the longest end in common with a path, if it has at least ``agreeing`` parts.

    All paths are reversed, so that an end in common is a beginning in common.
    """
    lengths = {
        entry: sum(1 for _ in takewhile(lambda parts: parts[0] == parts[1], zip(path, paths[entry], strict=False)))
        for entry in by_name.get(path[0], ())
    }
    longest = max(lengths.values(), default=0)
    return [entry for entry, length in lengths.items() if length == longest >= agreeing]


def _check_same(listed: Sequence[str], present: Sequence[str], what: str, source: Path, root: Path) -> None:
    listed_names, present_names = set(listed), set(present)
    absent = [name for name in listed if name not in present_names]
    extra = [name for name in present if name not in listed_names]
    if absent or extra:
        absent_text = f"; {len(absent):,} only in the file: {name_some(absent, most=3)}" if absent else ""
        extra_text = f"; {len(extra):,} only in {root}: {name_some(extra, most=3)}" if extra else ""
        raise DataError(f"{source}: expected the {what} of the archive{absent_text}{extra_text}")
