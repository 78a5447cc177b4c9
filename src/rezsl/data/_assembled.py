"""From listed images of a user's own, wherever they are, to their benchmark."""

import os
import posixpath
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rezsl.data._benchmark import Benchmark, Split
from rezsl.data._folder import ImageRow, labels_of, number_groups
from rezsl.data._held_out import check_classes
from rezsl.data._identical_files import note_of_identical_files
from rezsl.data._images import Crop, examine_image, file_of, has_deep_numbers, on_threads
from rezsl.data._made_splits import TEST_SEEN_SHARE, draw_by_rule
from rezsl.data._pixel_values import ValueRange, notes_on_range
from rezsl.data._readers import attempt
from rezsl.errors import DataError, name_some
from rezsl.files import folder_name, naming
from rezsl.limits import leads_out
from rezsl.semantics import ClassSemantics, with_places
from rezsl.sources import exists

SAMPLE = 16
"""The most images of numbers beyond 8 bits that are decoded to see whether they fill their range."""


def assembled(
    root: Path,
    paths: Sequence[Path],
    names: Sequence[str],
    listed: Sequence[ImageRow] | None,
    passed_over: tuple[str, ...],
    unseen_share: float,
    seed: int,
    value_range: ValueRange | None,
) -> Benchmark:
    """Return the benchmark of images with their classes, the tables of a folder, and a split.

    Args:
        root: the folder with ``semantics.csv`` and, if there are places, ``places.csv``.
        paths: the images.
        names: the class of each.
        listed: the split and the group of each; None draws a split as :func:`rezsl.data.load_image_folder` does.
        passed_over: notes on other files.
        unseen_share: share of the classes taken as unseen where the split is drawn.
        seed: seed of that draw.
        value_range: the numbers that are black and white.
    """
    semantics = ClassSemantics.from_csv(root / "semantics.csv", known_classes=names)
    if exists(root / "places.csv"):
        semantics = with_places(semantics, root / "places.csv")
    groups: Tensor | None = None
    notes: tuple[str, ...] = ()
    if listed is None:
        labels = labels_of(names, semantics, root)
        split, note = _drawn_split(labels, semantics, unseen_share, seed)
        notes = (note,)
    else:
        labels = labels_of(names, semantics, root)
        part_of = np.array([row.split for row in listed])
        split = Split.from_masks(*(torch.from_numpy(part_of == part) for part in ("test_unseen", "test_seen", "val")))
        if any(row.group is not None for row in listed):
            groups = number_groups((row.file, row.group or "") for row in listed)
    with naming(root):
        notes += note_of_identical_files(paths, labels, semantics.classes, split)
        notes = (*notes, *passed_over, *_notes_on_sample(paths, value_range))
        return Benchmark(
            folder_name(root), paths, labels, semantics, split, groups, notes=notes, value_range=value_range
        )


def _notes_on_sample(paths: Sequence[Path | Crop], value_range: ValueRange | None) -> tuple[str, ...]:
    """Return notes on the range of some images; those of 8-bit numbers are not decoded for that."""
    files = [file_of(source) for source in paths[:: max(1, len(paths) // SAMPLE)]]
    deep = [file for file in files if has_deep_numbers(file)]
    extents = on_threads(lambda number: attempt(lambda: examine_image(deep[number], checked=False), []), len(deep))
    return notes_on_range([extent for extent in extents if extent], value_range)


def _drawn_split(labels: Tensor, semantics: ClassSemantics, unseen_share: float, seed: int) -> tuple[Split, str]:
    """Return the split of a folder without ``splits.csv``, and a note on it."""
    undepicted = len(semantics.classes) - len(labels.unique())
    if undepicted:
        what = "one class without images is" if undepicted == 1 else f"the {undepicted} classes without images are"
        note = (
            f"no splits.csv: {what} unseen; there are no images to test on; rezsl data make-splits takes some classes "
            f"with images as unseen too, and can be tested"
        )
        return Split(torch.arange(len(labels))), note
    check_classes(labels.unique())
    alone = torch.arange(len(labels))
    roles, seen, test_seen = draw_by_rule(semantics, labels, alone, unseen_share, 0.0, TEST_SEEN_SHARE, seed)
    test_unseen = torch.isin(labels, torch.tensor(semantics.index(roles.unseen))).nonzero().squeeze(1)
    note = (
        f"no splits.csv: these classes are taken as unseen: {', '.join(roles.unseen)}; rezsl data make-splits takes "
        f"the same for the same seed, and also chooses validation classes, which each training draws otherwise"
    )
    return Split(seen[~torch.isin(seen, test_seen)], test_seen, test_unseen), note


def check_inside(root: Path, rows: Sequence[ImageRow]) -> None:
    """Refuse files that lie outside the folder."""
    if outside := [row.file for row in rows if leads_out(row.file, root)]:
        raise DataError(
            f"{root / 'splits.csv'}: expected files inside the folder, got {name_some(outside, most=3)}; copy them "
            f"into the folder, and list them by their path in it"
        )


def check_rows(root: Path, rows: Sequence[ImageRow], known: Collection[str] | None = None) -> None:
    """Refuse files that are listed twice or do not exist, and groups on both sides of the split.

    A model could recognize the object of such a group instead of its class. ``known`` are the files that exist; None
    looks for them on the disk.
    """
    path = root / "splits.csv"
    files = Counter(os.path.normpath(root / row.file) for row in rows)
    if repeated := [file for file, count in files.items() if count > 1]:
        raise DataError(f"{path}: files listed more than once: {name_some(repeated, most=3)}; list each once")
    if absent := [row.file for row in rows if not _exists(root, row.file, known)]:
        raise DataError(
            f"{path}: {len(absent)} listed files do not exist: {name_some(absent, most=3)}"
            "; correct the paths, or remove the lines"
        )
    sides = defaultdict(set)
    for row in rows:
        sides[row.group].add(row.split.startswith("test"))
    if straddling := [group for group, side in sides.items() if group and len(side) > 1]:
        raise DataError(
            f"{path}: groups with images in training and in test: {name_some(straddling)}; move each to one side"
        )


def _exists(root: Path, file: str, known: Collection[str] | None) -> bool:
    return os.path.isfile(root / file) if known is None else posixpath.normpath(file) in known
