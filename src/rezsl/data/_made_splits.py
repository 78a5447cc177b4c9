"""Splits of a user's own folder, drawn by one rule.

The rule of :func:`make_splits` is the same for ``splits.csv`` and ``att_splits.mat``. Where there is no ``splits.csv``,
:func:`rezsl.data.load_image_folder` draws unseen classes and test images by it, and no validation classes.

1. Classes with a row in ``semantics.csv`` but without images are unseen, and cannot be tested.
2. Unseen classes are the named ones, or a share of the classes with images, drawn by the seed. All of their images are
   ``test_unseen``.
3. Validation classes are the named ones, or a share of the remaining classes, drawn by the seed.
4. Of every remaining class, also of a validation class, whole groups of images (single images if no groups are given)
   are drawn by the seed until they come as near to ``test_seen_share`` of the class as they can: ``test_seen``.
   At least one group always stays in training.
5. The other images are ``val`` in validation classes and ``train`` in the others.

The splits depend on the names, classes and groups of the images, the table, the options and the seed, but neither on
the pixels nor on the order of the file system.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from rezsl.data._folder import (
    ALONE,
    SPLIT_NAMES,
    ImageRow,
    groups_from_names,
    groups_from_table,
    labelled_images,
    labels_of,
    number_groups,
)
from rezsl.data._held_out import ClassRoles, choose_roles, hold_out_samples
from rezsl.data._split_file import XLSA17_FOLDER, split_files
from rezsl.errors import ArgumentError, DataError, check_share, name_some
from rezsl.files import csv_text, local_path
from rezsl.semantics import ClassSemantics, Finding, examine
from rezsl.writing import write_atomically

TEST_SEEN_SHARE = 0.2
"""The share of each seen class's images that is tested on where nothing else is asked for."""


class Drawn(NamedTuple):
    """What the rule draws.

    Attributes:
        roles: the role of each class.
        seen: images of seen classes, to train on or to test on.
        test_seen: those of them to test on.
    """

    roles: ClassRoles
    seen: Int[Tensor, "N"]
    test_seen: Int[Tensor, "K"]


def draw_by_rule(
    semantics: ClassSemantics,
    labels: Int[Tensor, "N"],
    groups: Int[Tensor, "N"],
    unseen: float | Sequence[str],
    validation: float | Sequence[str],
    test_seen_share: float,
    seed: int,
) -> Drawn:
    """Draw roles of classes and test images; the parts are drawn independently, so that none changes another.

    Args:
        semantics: the table.
        labels: row of each image's class in it.
        groups: a number per image, equal within a group.
        unseen: as for :func:`make_splits`, and so are the others.
        validation: see there.
        test_seen_share: see there.
        seed: see there.
    """
    # With a single seed, the same positions would be drawn each time.
    generator = torch.Generator().manual_seed(seed)
    unseen_seed, validation_seed, image_seed = torch.randint(2**62, (3,), generator=generator).tolist()
    roles = choose_roles(semantics, labels, unseen, validation, unseen_seed, validation_seed)
    rows = torch.tensor(semantics.index([*roles.train, *roles.validation]))
    seen = torch.isin(labels, rows).nonzero().squeeze(1)
    _, test_seen = hold_out_samples(seen, labels, groups, test_seen_share, image_seed, nearest=True)
    return Drawn(roles, seen, test_seen)


@dataclass(frozen=True)
class MadeSplits:
    """The result of :func:`make_splits`.

    Attributes:
        rows: every image, in the order of ``splits.csv``.
        roles: the role of each class.
        written: the written files, ``splits.csv`` first.
        notes: remarks for users of the splits, one sentence each.
        findings: what in the table keeps a model of these splits from recognising the unseen classes.
    """

    rows: tuple[ImageRow, ...]
    roles: ClassRoles
    written: tuple[Path, ...]
    notes: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Number of images by split."""
        found = Counter(row.split for row in self.rows)
        return {name: found[name] for name in SPLIT_NAMES}


def make_splits(
    root: str | Path,
    unseen: float | Sequence[str] = 0.2,
    validation: float | Sequence[str] = 0.2,
    test_seen_share: float = TEST_SEEN_SHARE,
    seed: int = 0,
    groups: str | Path | None = None,
    group_pattern: str | None = None,
    mat: bool = False,
    overwrite: bool = False,
) -> MadeSplits:
    """Write ``splits.csv`` for a folder with ``images/<class>/*`` and ``semantics.csv``; the module describes the rule.

    Args:
        root: the folder.
        unseen: names of the unseen classes, or their share of the classes with images, in ``[0, 1)``.
        validation: names of the validation classes, or their share of the seen classes, in ``[0, 1)``; 0 for none.
        test_seen_share: share of each seen class's images to test on, in ``[0, 1)``.
        seed: seed of every draw.
        groups: a CSV file with the columns ``file,group``; images of one group (frames of one object) stay together.
        group_pattern: instead, a regular expression for file names; the part in parentheses is the group.
        mat: also write ``xlsa17/att_splits.mat``, ``image_files.mat`` and ``attributes.txt``, which
            :func:`rezsl.data.read_split_file` and the field's own code read.
        overwrite: replace files of an earlier call.

    Raises:
        ArgumentError: a share, name or pattern does not fit the folder.
        DataError: the folder or the table of groups is not as described, or a file is there already and ``overwrite``
            is false.
    """
    check_share(test_seen_share=test_seen_share)
    if not 0 <= seed < 2**63:
        raise ArgumentError(f"seed: expected a whole number of at least 0 and below 2^63, got {seed}")
    root = local_path(root)
    images, passed_over = labelled_images(root)
    classes = dict(images)
    if unwritable := [file for file in classes if not _is_unicode(file)]:
        raise DataError(
            f"{root / 'images'}: expected names of files in UTF-8, got {name_some(unwritable, most=3)}, which no table "
            f"can list; rename them"
        )
    semantics = ClassSemantics.from_csv(root / "semantics.csv", known_classes=classes.values())
    labels = labels_of(list(classes.values()), semantics, root)
    group_of, more = _groups(groups, group_pattern, classes)
    notes = (*semantics.notes, *passed_over, *more)
    numbers = number_groups(group_of.items())
    roles, seen, test_seen = draw_by_rule(semantics, labels, numbers, unseen, validation, test_seen_share, seed)
    if test_seen_share and (whole := sorted(set(labels[seen].tolist()) - set(labels[test_seen].tolist()))):
        names = name_some([semantics.classes[row] for row in whole])
        notes += (f"classes with a single image or group are trained on and have no test_seen images: {names}",)
    if roles.undepicted:
        notes += (f"classes without images are unseen, and cannot be tested: {name_some(roles.undepicted)}",)
    rows = _rows(classes, group_of, roles, set(test_seen.tolist()))
    cells = [(row.file, row.class_name, row.group or ALONE, row.split) for row in rows]
    contents = {"splits.csv": csv_text(["file", "class", "group", "split"], cells).encode()}
    if mat:
        files, more = split_files(semantics, labels, list(classes), [row.split for row in rows])
        contents |= {f"{XLSA17_FOLDER}/{name}": content for name, content in files.items()}
        notes += more
    elif (root / XLSA17_FOLDER / "att_splits.mat").exists():
        notes += (
            f"{XLSA17_FOLDER}/att_splits.mat is of an earlier call and need not agree; renew it with mat (--mat)",
        )
    findings = examine(semantics, (*roles.train, *roles.validation))
    return MadeSplits(rows, roles, _write(root, contents, overwrite), notes, findings)


def _is_unicode(name: str) -> bool:
    """Return whether a file's name is text; Python keeps bytes that are none as halves of surrogate pairs."""
    return not any("\ud800" <= sign <= "\udfff" for sign in name)


def _groups(
    table: str | Path | None, pattern: str | None, classes: Mapping[str, str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the group of each image, and notes."""
    if table is not None and pattern is not None:
        raise ArgumentError("groups, group_pattern: expected one of them, got both; leave one out")
    if table is not None:
        return groups_from_table(local_path(table), classes)
    if pattern is not None:
        return groups_from_names(pattern, classes)
    return dict.fromkeys(classes, ALONE), ()


def _rows(
    classes: dict[str, str], group_of: dict[str, str], roles: ClassRoles, test_seen: set[int]
) -> tuple[ImageRow, ...]:
    split_of = dict.fromkeys(roles.train, "train")
    split_of |= dict.fromkeys(roles.validation, "val") | dict.fromkeys(roles.unseen, "test_unseen")
    return tuple(
        ImageRow(file, name, group_of[file], "test_seen" if number in test_seen else split_of[name])
        for number, (file, name) in enumerate(classes.items())
    )


def _write(root: Path, contents: dict[str, bytes], overwrite: bool) -> tuple[Path, ...]:
    paths = {root / name: content for name, content in contents.items()}
    if not overwrite and (present := [path for path in paths if path.exists()]):
        raise DataError(
            f"{present[0]}: exists, and experiments may rest on it; move it away, or give overwrite (--overwrite)"
        )
    for path, content in paths.items():
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, content)
    return tuple(paths)
