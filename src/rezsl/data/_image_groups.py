"""Groups of images that show the same object come from a table, or from the names of the files."""

import posixpath
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from rezsl.data._folder_files import read_groups
from rezsl.errors import ArgumentError, DataError, name_some

ALONE = ""
"""The group of an image that belongs to no group, as in ``splits.csv``."""


def groups_from_table(path: Path, classes: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Read groups from a CSV file with the columns ``file`` and ``group``, such as an older ``splits.csv``.

    Args:
        path: the table; its files are relative to the data set's folder. A blank group means no group.
        classes: class of every image file.

    Returns:
        The group of every image (:data:`ALONE` where the table has none), and notes.

    Raises:
        DataError: the table is missing or lacks a column, lists no image at all or one twice, or a group has images
            of several classes.
    """
    listed = read_groups(path)
    if not listed.keys() & classes.keys():
        raise DataError(f"{path}: lists none of the {len(classes)} images; expected files such as {min(classes)!r}")
    notes = []
    if unlisted := [file for file in classes if file not in listed]:
        notes.append(f"{len(unlisted)} images are not in {path.name} and have no group: {name_some(unlisted, most=3)}")
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
    """Find the group of each image, within its class, by a regular expression in the file's name without its folders.

    Args:
        pattern: searched for in the name. The part in parentheses names the group, or the whole match if it has no
            parentheses: ``^(.+)_`` puts ``07_001.png`` and ``07_002.png`` into the group 07 of their class.
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
    note = f"{len(alone)} images do not match the group pattern and have no group: {name_some(alone, most=3)}"
    return groups, (note,) if alone else ()


def _found(expression: re.Pattern[str], file: str, class_name: str) -> str:
    match = expression.search(posixpath.basename(file))
    if match is None:
        return ALONE
    text = "-".join(part for part in match.groups() if part is not None) if expression.groups else match[0]
    # Cameras and scripts number the images of each folder anew, so 0001 of two classes is not one object.
    return f"{class_name}/{text}" if text else ALONE
