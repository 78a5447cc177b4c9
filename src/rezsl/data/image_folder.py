"""A user's own images: ``images/<class>/*``, ``semantics.csv``, and optionally ``splits.csv`` and ``places.csv``."""

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from torch import Tensor

from rezsl.data._assembled import assembled, check_inside, check_rows
from rezsl.data._benchmark import Benchmark
from rezsl.data._folder import (
    SPLIT_NAMES,
    ClassFolders,
    images_by_class,
    labelled_images,
    on_disk,
    read_rows,
)
from rezsl.data._held_out import LEAST_CLASSES
from rezsl.data._images import examine_image, file_of, on_threads
from rezsl.data._pixel_values import ValueRange, check_value_range, notes_on_range
from rezsl.data._readers import FolderReport, Reader, attempt, counts_of, reader
from rezsl.errors import check_between_0_and_1, name_some
from rezsl.files import folder_name, local_path
from rezsl.semantics import ClassSemantics, Finding, constant_attributes, did_you_mean, examine
from rezsl.sources import exists, is_remote, list_files


def check_folder(reader: Reader, root: Path, decode: bool) -> FolderReport:
    """Run the reader on a folder of the user's own images, and report what it reads; nothing is written."""
    problems: list[str] = []
    folders = ClassFolders({}, (), ())
    # Without the folder of images, splits.csv may list files anywhere below the root.
    if (root / "images").is_dir() or not (root / "splits.csv").is_file():
        folders = attempt(lambda: images_by_class(root), problems) or folders
    found = folders.files
    table = attempt(lambda: ClassSemantics.from_csv(root / "semantics.csv", known_classes=found), problems)
    benchmark = attempt(lambda: reader.load(root), problems) if not problems else None
    class_of = {os.path.normpath(root / file): name for name, files in found.items() for file in files}
    listed, splits = _read_contents(benchmark) if benchmark else ({}, {})
    unlisted = [file for file in class_of if file not in listed] if benchmark else []
    class_of |= listed
    counts = Counter(class_of.values())
    if 0 < len(counts) < LEAST_CLASSES:
        problems.append(
            f"{root}: fit needs images of at least {LEAST_CLASSES} classes, to hold one out and still "
            f"compare two, got {len(counts)}; give images of more classes"
        )
    unreadable, extents = list[str](), []
    if decode:
        files = [Path(file) for file in class_of]
        of_file = on_threads(lambda number: attempt(lambda: examine_image(files[number]), unreadable), len(files))
        extents = [extent for extent in of_file if extent]
    names = table.classes if table else ()
    notes = benchmark.notes if benchmark else (*(table.notes if table else ()), *folders.notes)
    if decode:  # all images were examined, and not some of them
        notes = (*(note for note in notes if "examined have values" not in note), *notes_on_range(extents, None))
    parts = {name: (root / name).exists() for name in ("images", "semantics.csv", "splits.csv", "places.csv")}
    return FolderReport(
        root=root,
        kind=reader.name,
        title=folder_name(root),
        counts=counts_of((counts.total(), *(table.values.shape if table else (None, None)))),
        found=tuple(name for name, there in parts.items() if there),
        missing=tuple(f"{name}, which you write yourself" for name in ("images", "semantics.csv") if not parts[name]),
        classes={name: counts[name] for name in dict.fromkeys([*names, *found])},
        splits=splits,
        without_images=tuple(name for name in names if not counts[name]),
        unlisted=tuple(Path(os.path.relpath(file, root)).as_posix() for file in unlisted),
        passed_over=folders.passed_over,
        unreadable=tuple(sorted(unreadable)),
        decoded=decode,
        notes=(*notes, *_note_of_constants(table)),
        findings=_findings(benchmark, found) if benchmark else (),
        problems=(*problems, *sorted(unreadable)),
    )


def _note_of_constants(table: ClassSemantics | None) -> tuple[str, ...]:
    """Return a note on the attributes that have one value in the whole table, if there are any."""
    constant = [] if table is None else constant_attributes(table)
    if table is None or not constant:
        return ()
    has = "has" if len(constant) == 1 else "have"
    names = name_some([table.attributes[column] for column in constant])
    return (f"{names} {has} the same value in all classes, which tells none of them apart; fill in what differs",)


def _findings(benchmark: Benchmark, folders: Iterable[str]) -> tuple[Finding, ...]:
    """Return the findings on the table, and on folders without a row whose names are near the name of a row."""
    table = benchmark.semantics
    with_folder, described = {*folders}, {*table.classes}
    strays = [name for name in folders if name not in described]
    found = examine(table, benchmark.seen_classes)
    # A row that has a folder of its own is not the one that was meant.
    hint = did_you_mean(strays, [name for name in table.classes if name not in with_folder])
    if not hint:
        return found
    text = f"folders of images without a row in the table: {name_some(strays)}{hint}"
    return (Finding("names", text, "give folder, splits.csv and row the same name"), *found)


def _read_contents(benchmark: Benchmark) -> tuple[dict[str, str], dict[str, dict[str, int]]]:
    """Return the class of every image file that is used, and the number of images by class and split."""
    names, split = benchmark.semantics.classes, benchmark.split
    labels = [names[row] for row in benchmark.labels.tolist()]
    files = [os.path.normpath(file_of(source)) for source in benchmark.inputs if not isinstance(source, Tensor)]
    parts = split.parts() | {"train": split.train if len(split.train) else split.trainval}
    counts: dict[str, dict[str, int]] = {}
    for part in SPLIT_NAMES:
        for name, count in Counter(labels[image] for image in parts[part].tolist()).items():
            counts.setdefault(name, dict.fromkeys(SPLIT_NAMES, 0))[part] = count
    return dict(zip(files, labels, strict=True)), counts


@reader(
    "folder",
    title="your own images (images/ and semantics.csv)",
    signs={"semantics.csv": 4, "images": 1},
    check=check_folder,
)
def load_image_folder(
    root: str | Path, unseen_share: float = 0.2, seed: int = 0, value_range: ValueRange | None = None
) -> Benchmark:
    """Read a folder of images with a table of class semantics.

    ``semantics.csv``: first column ``class``, one column per attribute, one row per class, also for classes without
    images. ``splits.csv``, if present: columns ``file,class,split`` and optionally ``group``, with ``file`` relative
    to the folder and ``split`` one of train, val, test_seen, test_unseen; only the files it lists are used.

    ``places.csv``, if present, gives the place in the image where an attribute is visible, see
    :attr:`rezsl.ClassSemantics.places`: columns ``attribute,y,x,spread``, shares of the image's side.

    Without ``splits.csv``, classes that have a row but no images are the unseen ones and every image is trained on;
    if all classes have images, ``unseen_share`` of them (at least one), drawn by ``seed``, are taken as unseen, and
    a fifth of the images of each other class is held out as ``test_seen``, both as :func:`make_splits` does.

    The folder may lie in an object store that fsspec knows, such as ``s3://bucket/birds``. Its photos are read when
    they are used, and are not kept.

    Args:
        root: the folder.
        unseen_share: share of the classes taken as unseen where no file lists the splits, in ``(0, 1)``.
        seed: seed of that draw.
        value_range: the number that is black and the number that is white in all images, such as 0 4095 for cameras of
            12 bits; None takes those of the type of the numbers, see :func:`read_image`. A trained model keeps it for
            the photos that it reads later.

    Raises:
        ArgumentError: ``unseen_share`` or ``value_range`` is out of its range.
        DataError: a file is missing, a class has images but no semantics or a folder but no images, a row does not fit.
    """
    check_between_0_and_1(unseen_share=unseen_share)
    check_value_range(value_range)
    root = local_path(root)
    listed = read_rows(root / "splits.csv") if exists(root / "splits.csv") else None
    if listed is None:
        pairs, passed_over = labelled_images(root)
        files, names = map(list, zip(*pairs, strict=True))
    else:
        check_inside(root, listed)
        listed = on_disk(listed, root)
        passed_over = images_by_class(root).notes if (root / "images").is_dir() else ()
        files, names = [row.file for row in listed], [row.class_name for row in listed]
    if listed is not None:
        known = {path.relative_to(root).as_posix() for path in list_files(root)} if is_remote(root) else None
        check_rows(root, listed, known)
    paths = [root / file for file in files]
    return assembled(root, paths, names, listed, passed_over, unseen_share, seed, value_range)
