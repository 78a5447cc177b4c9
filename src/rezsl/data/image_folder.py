"""A user's own images: ``images/<class>/*``, ``semantics.csv``, and optionally ``splits.csv`` and ``places.csv``."""

from pathlib import Path

from rezsl.data._assembled import assembled, check_inside, check_rows
from rezsl.data._benchmark import Benchmark
from rezsl.data._folder import ClassFolders, images_by_class, labelled_images, on_disk, read_rows
from rezsl.data._folder_report import report_on
from rezsl.data._pixel_values import ValueRange, check_value_range
from rezsl.data._readers import FolderReport, Reader, attempt, reader
from rezsl.errors import check_between_0_and_1
from rezsl.files import local_path
from rezsl.sources import exists, is_remote, list_files


def check_folder(reader: Reader, root: Path, decode: bool) -> FolderReport:
    """Report what the reader reads in a folder of the user's own images; nothing is written."""
    problems: list[str] = []
    folders = ClassFolders({}, (), ())
    # Without the folder of images, splits.csv may list files anywhere below the root.
    if (root / "images").is_dir() or not (root / "splits.csv").is_file():
        folders = attempt(lambda: images_by_class(root), problems) or folders
    return report_on(reader, root, decode, folders, problems)


@reader(
    "folder",
    title="your own images (images/ and semantics.csv)",
    signs={"semantics.csv": 4, "semantics.csv + images": 6, "images": 1},
    check=check_folder,
    decodes=True,
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
