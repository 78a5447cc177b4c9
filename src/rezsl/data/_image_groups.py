"""Which images show the same object: from a table, or from the files' names."""

import posixpath
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from rezsl.errors import ArgumentError, DataError, name_some
from rezsl.files import read_csv

ALONE = ""
"""The group of an image that stands alone, as in ``splits.csv``."""


def groups_from_table(path: Path, classes: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Groups as a CSV file with the columns ``file`` and ``group`` lists them; an older ``splits.csv`` is one.

    Args:
        path: the table; its files are relative to the data set's folder. A blank group means: stands alone.
        classes: class of every image file.

    Returns:
        The group of every image (:data:`ALONE` where the table has none), and notes.

    Raises:
        DataError: the table is missing or lacks a column, lists no image at all or one twice, or a group has images
            of several classes.
    """
    listed = _read_table(path)
    if not listed.keys() & classes.keys():
        raise DataError(f"{path}: lists none of the {len(classes)} images; expected files such as {min(classes)!r}")
    notes = []
    if unlisted := [file for file in classes if file not in listed]:
        notes.append(f"{len(unlisted)} images are not in {path.name} and stand alone: {name_some(unlisted, most=3)}")
    if absent := [file for file in listed if file not in classes]:
        notes.append(f"{len(absent)} files in {path.name} are no images of the folder: {name_some(absent, most=3)}")
    groups = {file: listed.get(file, ALONE) for file in classes}
    members = defaultdict(set)
    for file, group in groups.items():
        members[group].add(classes[file])
    for group, names in members.items():
        if group != ALONE and len(names) > 1:
            raise DataError(
                f"{path}: group {group!r} has images of {name_some(sorted(names), most=2)}; a group is one object, so "
                f"of one class: write the class into the group's name"
            )
    return groups, tuple(notes)


def groups_from_names(pattern: str, classes: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Groups by what a regular expression finds in the file name (without its folders), within each class.

    Args:
        pattern: searched for in the name. What its parentheses enclose names the group, or the whole match where it
            has none: ``^(.+)_`` puts ``07_001.png`` and ``07_002.png`` into the group 07 of their class.
        classes: class of every image file.

    Returns:
        The group of every image (:data:`ALONE` where nothing is found), and notes.

    Raises:
        ArgumentError: the pattern is no regular expression, or is found in no name.
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ArgumentError(f"group_pattern: expected a regular expression, got {pattern!r} ({error})") from error
    groups = {file: _found(expression, file, name) for file, name in classes.items()}
    alone = [file for file, group in groups.items() if group == ALONE]
    if len(alone) == len(classes):
        example = posixpath.basename(min(classes))
        raise ArgumentError(f"group_pattern: '{pattern}' is found in none of the file names, such as {example!r}")
    note = f"{len(alone)} images do not match the group pattern and stand alone: {name_some(alone, most=3)}"
    return groups, (note,) if alone else ()


def _found(expression: re.Pattern[str], file: str, class_name: str) -> str:
    match = expression.search(posixpath.basename(file))
    if match is None:
        return ALONE
    text = "-".join(part for part in match.groups() if part is not None) if expression.groups else match[0]
    # Cameras and scripts count anew in every folder: 0001 of two classes is not one object.
    return f"{class_name}/{text}" if text else ALONE


def _read_table(path: Path) -> dict[str, str]:
    columns, rows = read_csv(path, DataError, ("file", "group"))
    groups: dict[str, str] = {}
    for line, cells in rows:
        file, group = (cells[columns.index(name)] for name in ("file", "group"))
        name = posixpath.normpath(file.replace("\\", "/"))
        if name in groups:
            raise DataError(f"{path}, line {line}: {name!r} is listed more than once")
        groups[name] = group.strip()
    return groups
