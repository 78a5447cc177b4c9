"""The report on a user's own images: what their reader reads, and what keeps it from reading them."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from torch import Tensor

from rezsl.data._benchmark import Benchmark
from rezsl.data._folder import SPLIT_NAMES, ClassFolders
from rezsl.data._held_out import LEAST_CLASSES
from rezsl.data._images import examine_image, file_of, on_threads
from rezsl.data._pixel_values import notes_on_range
from rezsl.data._readers import FolderReport, Reader, attempt, counts_of
from rezsl.errors import name_some
from rezsl.files import folder_name
from rezsl.semantics import ClassSemantics, Finding, constant_attributes, did_you_mean, examine


def report_on(
    reader: Reader, root: Path, decode: bool, folders: ClassFolders, problems: Sequence[str], images: str = "images"
) -> FolderReport:
    """Run a reader on a folder, and report what it reads.

    Args:
        reader: the reader.
        root: the folder, with ``semantics.csv`` and perhaps other tables.
        decode: whether to decode every image.
        folders: the images by class, as they lie in the folder; nothing where they are not divided by class.
        problems: what has kept from finding them.
        images: pattern of the part that contains the images.
    """
    problems = [*problems]
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
    names_of_parts = (images, "semantics.csv", "splits.csv", "places.csv")
    parts = {name: any(root.glob(name)) for name in names_of_parts}
    return FolderReport(
        root=root,
        kind=reader.name,
        title=folder_name(root),
        counts=counts_of((counts.total(), *(table.values.shape if table else (None, None)))),
        found=tuple(name for name, there in parts.items() if there),
        missing=tuple(f"{name}, which you write yourself" for name in names_of_parts[:2] if not parts[name]),
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
