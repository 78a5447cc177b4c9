"""The images of ``images/<class>/*``, in an order that does not depend on the file system."""

from pathlib import Path

from rezsl.data._images import find_images
from rezsl.errors import DataError

SPLIT_NAMES = ("train", "val", "test_seen", "test_unseen")


def images_by_class(root: Path) -> dict[str, list[str]]:
    """Files of each class folder, also of an empty one, as POSIX paths relative to ``root``; classes and files sorted.

    Raises:
        DataError: there is no folder ``images``.
    """
    folder = root / "images"
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; expected images/<class>/<image files>")
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    return {name: sorted(file.relative_to(root).as_posix() for file in find_images(folder / name)) for name in names}
