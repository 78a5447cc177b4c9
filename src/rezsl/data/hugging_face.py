"""Data sets of Hugging Face on the disk: folders of Arrow or Parquet files, which are read where they are."""

from pathlib import Path
from typing import Any

from rezsl.data._assembled import assembled, check_rows
from rezsl.data._benchmark import Benchmark
from rezsl.data._folder import SPLIT_NAMES, ClassFolders, ImageRow
from rezsl.data._folder_report import report_on
from rezsl.data._pixel_values import ValueRange, check_value_range
from rezsl.data._readers import FolderReport, Reader, attempt, reader
from rezsl.errors import DataError, check_between_0_and_1
from rezsl.files import check_folder, local_path
from rezsl.semantics import plain_name
from rezsl.sources import IMAGE_COLUMN, features_of, read_table

LABEL = "label"

PATTERNS = ("*.arrow", "*/*.arrow", "*.parquet", "*/*.parquet")
"""Where ``save_to_disk`` and the hub put the files of a data set."""


def check_data_set(reader: Reader, root: Path, decode: bool) -> FolderReport:
    """Report what the reader reads in a data set; nothing is written."""
    images = next((pattern for pattern in PATTERNS if any(root.glob(pattern))), PATTERNS[0])
    problems: list[str] = []
    paths, names, _ = attempt(lambda: _listed(root, LABEL), problems) or ([], [], [])
    return report_on(
        reader, root, decode, ClassFolders.of(root, dict(zip(paths, names, strict=True)), {}), problems, images
    )


@reader(
    "datasets",
    title="your own images as a data set of Hugging Face (*.arrow or *.parquet, and semantics.csv)",
    signs={f"semantics.csv + {pattern}": 5 for pattern in PATTERNS} | dict.fromkeys(PATTERNS, 1),
    check=check_data_set,
    decodes=True,
)
def load_hugging_face(
    root: str | Path,
    label: str = LABEL,
    unseen_share: float = 0.2,
    seed: int = 0,
    value_range: ValueRange | None = None,
) -> Benchmark:
    """Read a data set of Hugging Face ``datasets``: what ``save_to_disk`` has written, or Parquet files of its hub.

    All ``*.arrow`` and ``*.parquet`` files below the folder are read as one data set. Their division into ``train`` and
    ``test`` is not used, because it does not divide seen and unseen classes. The column ``image`` holds the images as
    they are in files, and another one their classes, as names or as numbers of the class names that the data set
    describes.
    If there is a column ``split``, it has train, val, test_seen or test_unseen for each image, and ``group`` may name
    the object that it shows; otherwise a split is drawn as :func:`rezsl.data.load_image_folder` does.
    ``semantics.csv`` and ``places.csv`` lie in the folder, as there.

    The package pyarrow is needed, and ``datasets`` is not. Paths in the column of images are not followed.

    Args:
        root: the folder.
        label: name of the column of classes.
        unseen_share: share of the classes taken as unseen where no column has the splits, in ``(0, 1)``.
        seed: seed of that draw.
        value_range: the number that is black and the number that is white in all images, see
            :func:`rezsl.data.read_image`.

    Raises:
        ArgumentError: ``unseen_share`` or ``value_range`` is out of its range.
        DataError: a file is damaged, or a column is missing or holds something else.
        MissingPackageError: pyarrow is not installed.
    """
    check_between_0_and_1(unseen_share=unseen_share)
    check_value_range(value_range)
    root = local_path(root)
    check_folder(root, "Arrow or Parquet files and semantics.csv", DataError)
    paths, names, rows = _listed(root, label)
    return assembled(root, paths, names, rows or None, (), unseen_share, seed, value_range)


def _listed(root: Path, label: str) -> tuple[list[Path], list[str], list[ImageRow]]:
    """Return the images of all tables, the class of each, and their splits, where the tables have them."""
    files = sorted(path for ending in ("arrow", "parquet") for path in root.rglob(f"*.{ending}") if path.is_file())
    if not files:
        raise DataError(
            f"{root}: expected Arrow or Parquet files of a data set, got none; write them with "
            f"dataset.save_to_disk({str(root)!r}), or name another folder"
        )
    paths, names, rows = list[Path](), list[str](), list[ImageRow]()
    for file in files:
        table = read_table(file)
        of_file = _names(table, label, file)
        own = [file / str(number) for number in range(len(of_file))]
        paths, names = paths + own, names + of_file
        rows += _rows(table, root, own, of_file)
    if rows and len(rows) != len(paths):
        raise DataError(f"{root}: expected a column split in every file or in none; add it, or remove it")
    if rows:
        check_rows(root, rows, {row.file for row in rows})
    return paths, names, rows


def _names(table: Any, label: str, file: Path) -> list[str]:
    """Return the name of the class of every row."""
    if missing := [name for name in (IMAGE_COLUMN, label) if name not in table.column_names]:
        raise DataError(
            f"{file}: expected the columns {IMAGE_COLUMN} and {label}, got {', '.join(table.column_names)} without "
            f"{missing[0]}; name the column of classes with --data.label, or rename columns in the data set"
        )
    values = table[label].to_pylist()
    known = features_of(table).get(label, {})
    classes = known.get("names") if isinstance(known, dict) else None
    if all(isinstance(value, str) for value in values):
        return [plain_name(value) for value in values]
    numbers = all(isinstance(value, int) for value in values)
    if numbers and isinstance(classes, list) and all(0 <= value < len(classes) for value in values):
        return [plain_name(str(classes[value])) for value in values]
    raise DataError(
        f"{file}: {label}: expected names of classes, or numbers of the names in the data set's features, got "
        f"{', '.join(sorted({type(value).__name__ for value in values}))} without names; save the names of classes"
    )


def _rows(table: Any, root: Path, paths: list[Path], names: list[str]) -> list[ImageRow]:
    """Return the split and the group of every row, where the table has them."""
    if "split" not in table.column_names:
        return []
    splits = table["split"].to_pylist()
    if wrong := [split for split in splits if split not in SPLIT_NAMES]:
        raise DataError(
            f"{root}: split: expected one of {', '.join(SPLIT_NAMES)}, got {wrong[0]!r}; correct the column"
        )
    groups = table["group"].to_pylist() if "group" in table.column_names else [None] * len(splits)
    files = [path.relative_to(root).as_posix() for path in paths]
    return [
        ImageRow(file, name, None if group is None else plain_name(str(group)), split)
        for file, name, group, split in zip(files, names, groups, splits, strict=True)
    ]
