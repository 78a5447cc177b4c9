"""Shards of photos as tar files, as WebDataset writes them, which are read where they are."""

from pathlib import Path

from rezsl.data._assembled import assembled, check_inside, check_rows
from rezsl.data._benchmark import Benchmark
from rezsl.data._folder import ClassFolders, read_rows
from rezsl.data._folder_report import report_on
from rezsl.data._image_files import notes_of
from rezsl.data._image_formats import readable_suffixes
from rezsl.data._pixel_values import ValueRange, check_value_range
from rezsl.data._readers import FolderReport, Reader, attempt, reader
from rezsl.errors import DataError, check_between_0_and_1, name_some
from rezsl.files import check_folder, local_path
from rezsl.limits import leads_out
from rezsl.semantics import ClassSemantics, plain_name
from rezsl.sources import read_bytes, tar_members

LONGEST_NAME = 4096
"""Bytes of a file with the name of a class."""


def check_shards(reader: Reader, root: Path, decode: bool) -> FolderReport:
    """Report what the reader reads in a folder of shards; nothing is written."""
    problems: list[str] = []
    # splits.csv has the classes of photos, so that the shards need not have them.
    listed = (root / "splits.csv").is_file()
    photos = attempt(lambda: _photos(root), [] if listed else problems) or ({}, {})
    return report_on(reader, root, decode, ClassFolders.of(root, *photos), problems, "*.tar")


@reader(
    "tar",
    title="your own images in tar files (*.tar and semantics.csv)",
    signs={"semantics.csv + *.tar": 5, "*.tar": 1},
    check=check_shards,
    decodes=True,
)
def load_tar_shards(
    root: str | Path, unseen_share: float = 0.2, seed: int = 0, value_range: ValueRange | None = None
) -> Benchmark:
    """Read photos from the tar files of a folder, beside a table of class semantics.

    The class of ``stop/0001.jpg`` in a shard is ``stop``, the name of its folder. WebDataset's form is read too: beside
    ``0001.jpg`` the file ``0001.cls`` has the name of the class, or its number, counted from 0 in the order of the
    table. ``semantics.csv``, ``splits.csv`` and ``places.csv`` lie beside the shards, and are those of
    :func:`rezsl.data.load_image_folder`; ``splits.csv`` names a photo by the shard and its place in it,
    ``birds-000.tar/stop/0001.jpg``.

    Nothing is unpacked to the disk. Only regular files count, of archives without compression, and nothing in them but
    photos and names of classes is read.

    Args:
        root: the folder.
        unseen_share: share of the classes taken as unseen where no file lists the splits, in ``(0, 1)``.
        seed: seed of that draw.
        value_range: the number that is black and the number that is white in all images, see
            :func:`rezsl.data.read_image`.

    Raises:
        ArgumentError: ``unseen_share`` or ``value_range`` is out of its range.
        DataError: a shard is compressed or damaged, a photo has no class, or a table does not fit.
    """
    check_between_0_and_1(unseen_share=unseen_share)
    check_value_range(value_range)
    root = local_path(root)
    check_folder(root, "tar files of photos and semantics.csv", DataError)
    if (root / "splits.csv").exists():
        listed = read_rows(root / "splits.csv")
        check_inside(root, listed)
        shards = sorted({root / row.file.partition(".tar/")[0] for row in listed})
        known = {
            f"{shard.name}.tar/{name}"
            for shard in shards
            if (tar := shard.with_name(f"{shard.name}.tar")).is_file()
            for name in tar_members(tar)
        }
        check_rows(root, listed, known)
        paths, names = [root / row.file for row in listed], [row.class_name for row in listed]
        return assembled(root, paths, names, listed, (), unseen_share, seed, value_range)
    found, passed_over = _photos(root)
    notes = notes_of(passed_over, root)
    return assembled(root, [*found], [*found.values()], None, notes, unseen_share, seed, value_range)


def _photos(root: Path) -> tuple[dict[Path, str], dict[Path, str]]:
    """Return the class of every photo in the shards of a folder, and why other files are passed over."""
    shards, readable = sorted(path for path in root.glob("*.tar") if path.is_file()), readable_suffixes()
    if not shards:
        raise DataError(f"{root}: expected tar files of photos, got none; put them into this folder")
    classes: list[str] = []
    found, passed = dict[Path, str](), dict[Path, str]()
    for shard in shards:
        members = tar_members(shard)
        if outside := [name for name in members if leads_out(name, shard)]:
            raise DataError(
                f"{shard}: expected names inside the archive, got {name_some(outside, most=3)}; make the shard again "
                f"without leading / and without .."
            )
        for name in sorted(members):
            path = shard / name
            if any(part.startswith(".") for part in Path(name).parts) or path.suffix == ".cls":
                continue
            if path.suffix.lower() not in readable:
                passed[path] = "files that are no images"
                continue
            label = Path(name).with_suffix(".cls").as_posix()
            if label in members:
                classes = classes or [*ClassSemantics.from_csv(root / "semantics.csv").classes]
                found[path] = _class_of(shard / label, members[label][1], classes)
            elif len(Path(name).parts) > 1:
                found[path] = plain_name(Path(name).parts[0])
            else:
                raise DataError(f"{path}: expected a photo in the folder of its class, or {label} beside it; add it")
    return found, passed


def _class_of(path: Path, size: int, classes: list[str]) -> str:
    """Return the class that a file names, or whose number it has."""
    if size > LONGEST_NAME:
        raise DataError(f"{path}: expected the name of a class, got {size:,} bytes; correct the shard")
    text = read_bytes(path).decode(errors="replace").strip()
    if text.isdecimal() and text not in classes:
        if int(text) >= len(classes):
            raise DataError(f"{path}: expected the number of a class below {len(classes)}, got {text}; add it a row")
        return classes[int(text)]
    return plain_name(text)
