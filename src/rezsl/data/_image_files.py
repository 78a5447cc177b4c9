"""Which files of a folder are images that can be read, and which are passed over, and why."""

import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rezsl.data._image_formats import PHOTOS, readable_suffixes
from rezsl.errors import name_some
from rezsl.sources import is_remote, list_files

LITTER = ("thumbs.db", "desktop.ini")
"""Files that Windows leaves in folders of photos. They count as hidden, as those do whose names begin with a dot."""

NO_IMAGE = "files that are no images"
BROKEN = "links that lead nowhere; restore what they lead to, or remove them"
REPEATED = "links to folders that are read already, or lie around this one"
CLOSED = "folders that cannot be read; change their permissions"
OUTSIDE = "images beside the class folders; move each into the folder of its class"


@dataclass(frozen=True)
class ImageFiles:
    """The files of a folder and of the folders in it, also of those that links lead to.

    Attributes:
        images: the images, sorted.
        passed_over: the reason by path for everything else that is not hidden.
    """

    images: tuple[Path, ...]
    passed_over: dict[Path, str]

    @property
    def photos(self) -> list[Path]:
        """The files passed over whose names say that they are photos."""
        return [path for path in self.passed_over if path.suffix.lower() in PHOTOS]


def walk_images(folder: Path) -> ImageFiles:
    """Return the image files below a folder, and what is passed over.

    Hidden files and folders (``._photo.jpg``, ``.ipynb_checkpoints``) are neither. Links are followed, because people
    link folders of photos, but no folder is read twice, and no link to a folder around this one.
    """
    readable = readable_suffixes()
    if is_remote(folder):
        files = [path for path in list_files(folder) if not _is_hidden(path.relative_to(folder))]
        images = tuple(path for path in files if path.suffix.lower() in readable)
        return ImageFiles(images, {path: _kind(path) for path in files if path.suffix.lower() not in readable})
    own = os.path.realpath(folder)
    read, found, passed = set[str](), list[Path](), dict[Path, str]()
    # Links wait until the folders themselves are read, so that a photo has the path that it has without the link.
    waiting, linked = [folder], list[Path]()
    while waiting or linked:
        place = waiting.pop() if waiting else linked.pop(0)
        real = os.path.realpath(place)
        if real in read or (place != folder and own.startswith(os.path.join(real, ""))):
            passed[place] = REPEATED
            continue
        read.add(real)
        try:
            entries = sorted(os.scandir(place), key=lambda entry: entry.name, reverse=True)
        except OSError:
            passed[place] = CLOSED
            continue
        for entry in entries:
            path = place / entry.name
            if entry.name.startswith(".") or entry.name.lower() in LITTER:
                continue
            if path.is_dir():
                (linked if entry.is_symlink() else waiting).append(path)
            elif path.suffix.lower() in readable and path.is_file():
                found.append(path)
            else:
                passed[path] = _reason(path)
    return ImageFiles(tuple(sorted(found)), dict(sorted(passed.items())))


def find_images(folder: Path) -> list[Path]:
    """Return the image files below a folder, sorted, without hidden ones (``._photo.jpg``, ``.ipynb_checkpoints``)."""
    return [*walk_images(folder).images]


def _reason(path: Path) -> str:
    if not path.exists():
        return BROKEN
    return _kind(path)


def _kind(path: Path) -> str:
    kind = PHOTOS.get(path.suffix.lower())
    return f"photos in {kind}" if kind else NO_IMAGE


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") or part.lower() in LITTER for part in path.parts)


def notes_of(passed_over: Mapping[Path, str], root: Path, most: int = 3) -> tuple[str, ...]:
    """Return a note for each reason: how many files were passed over for it, and the names of the first of them."""
    by_reason: defaultdict[str, list[str]] = defaultdict(list)
    for path, reason in passed_over.items():
        by_reason[reason].append(path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path))
    notes = []
    for reason, names in by_reason.items():
        what, remedy, how = reason.partition("; ")
        notes.append(f"passed over: {what} ({len(names):,}): {name_some(names, most)}{remedy}{how}")
    return tuple(notes)
