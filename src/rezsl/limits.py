"""Limits on what a file can make its reader do: a small file must not take all memory, or all time.

Files come from strangers too. Each check raises one line with the file, what was expected, what came and what to do.
"""

import posixpath
import re
import stat
import zipfile
from collections.abc import Iterable, Mapping
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import numpy as np

from rezsl.errors import RezslError

MOST_DEPTH = 64
"""Lists and mappings inside each other, in JSON and YAML."""

MOST_ENTRIES = 200_000
"""Entries of a YAML file after its aliases are replaced by what they stand for."""

MOST_YAML = 1 << 18
"""Bytes of a YAML file: options and plans are written by hand, and a megabyte takes seconds to read."""

SMALL, MOST_EXPANSION = 1 << 28, 200
"""Arrays of a compressed file may take 256 MiB in memory, or 200 times the size of the file if that is more."""

KINDS = {
    stat.S_ISFIFO: "a pipe", stat.S_ISSOCK: "a socket", stat.S_ISCHR: "a device", stat.S_ISBLK: "a device",
}  # fmt: skip


def check_regular(path: Path, expected: str, error: type[RezslError]) -> None:
    """Raise ``error`` for a pipe, a socket or a device, whose reading may wait or go on for ever.

    A path that does not exist, or is a folder, is left to the reader.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return
    for is_kind, kind in KINDS.items():
        if is_kind(mode):
            raise error(f"{path}: expected {expected}, got {kind}; copy its content into a file, and name that")


def leads_out(name: str, folder: Path) -> bool:
    """Return whether a listed name is no path inside the folder, on any system: it is absolute, or ``..`` leads out.

    Links are followed, because people link folders of photos, but not from there back to what is beside their target.
    """
    posix = name.replace("\\", "/")
    # The first letters of a drive of Windows, or of an address such as s3:/bucket/photo.jpg.
    if posix.startswith("/") or re.match(r"[A-Za-z]:|[A-Za-z][\w+.-]*:(/|$)", posix):
        return True
    if posixpath.normpath(posix).partition("/")[0] == "..":
        return True
    stepped = ".." in posix.split("/")
    return stepped and not (folder / posix).resolve().is_relative_to(folder.resolve())


def check_depth(content: Any, path: Path, expected: str, error: type[RezslError], remedy: str) -> None:
    """Raise ``error`` where values of JSON are nested so deeply that functions which call themselves would fail."""
    level: list[Any] = [content]
    for _ in range(MOST_DEPTH):
        level = [inner for value in level for inner in _inside(value)]
        if not level:
            return
    raise error(
        f"{path}: expected {expected}, got lists or objects inside each other, more than {MOST_DEPTH} deep; {remedy}"
    )


def _inside(value: Any) -> Iterable[Any]:
    """Return the lists and objects directly inside a value."""
    values = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return [inner for inner in values if isinstance(inner, Mapping | list)]


def check_yaml_size(path: Path, error: type[RezslError], remedy: str) -> None:
    """Raise ``error`` for a YAML file that is too large for options."""
    if (size := path.stat().st_size) > MOST_YAML:
        raise error(f"{path}: expected a YAML file of at most {MOST_YAML:,} bytes, got {size:,}; {remedy}")


def check_aliases(root: Any, path: Path, error: type[RezslError], remedy: str) -> None:
    """Raise ``error`` where the aliases of a composed YAML document multiply its entries, or contain themselves.

    Ten lists, each of ten aliases of the list before it, are a kilobyte and stand for 10¹⁰ entries.

    Args:
        root: the node of the document, as PyYAML composes it.
        path: the file.
        error: the class of the error.
        remedy: what to do about the file.
    """
    counts: dict[int, int] = {}

    def count(node: Any, depth: int) -> int:
        if id(node) in counts:
            return counts[id(node)]
        counts[id(node)] = MOST_ENTRIES + 1  # what a node counts that contains itself
        entries = node.value if isinstance(node.value, list) else ()
        parts = [part for entry in entries for part in (entry if isinstance(entry, tuple) else (entry,))]
        if depth > MOST_DEPTH:
            raise error(f"{path}: expected a YAML file, got entries nested more than {MOST_DEPTH} deep; {remedy}")
        counts[id(node)] = min(MOST_ENTRIES + 1, 1 + sum(count(part, depth + 1) for part in parts))
        return counts[id(node)]

    if root is not None and count(root, 0) > MOST_ENTRIES:
        raise error(
            f"{path}: expected a YAML file of at most {MOST_ENTRIES:,} entries, got more, because aliases (*) repeat "
            f"them; {remedy}"
        )


def check_expansion(path: Path, size: int, error: type[RezslError], remedy: str) -> None:
    """Raise ``error`` where the arrays of a file would take far more memory than the file is large."""
    stored = path.stat().st_size
    if size > max(SMALL, MOST_EXPANSION * stored):
        raise error(
            f"{path}: expected arrays of at most {max(SMALL, MOST_EXPANSION * stored):,} bytes in a file of "
            f"{stored:,}, got {size:,}; {remedy}"
        )


def check_array_file(stream: BufferedIOBase, path: Path, error: type[RezslError], remedy: str) -> None:
    """Raise ``error`` where an ``.npy`` or ``.npz`` file declares arrays that it does not have, before they are read.

    Other files are left to the reader. The stream is at its beginning afterwards.
    """
    if zipfile.is_zipfile(stream):
        stream.seek(0)
        with zipfile.ZipFile(stream) as archive:
            check_expansion(path, sum(entry.file_size for entry in archive.infolist()), error, remedy)
            for entry in archive.infolist():
                with archive.open(entry) as member:
                    assert isinstance(member, BufferedIOBase)
                    _check_array(member, f"{path}, {entry.filename[:60]!r}", entry.file_size, error, remedy)
    else:
        stream.seek(0)
        _check_array(stream, str(path), path.stat().st_size, error, remedy)
    stream.seek(0)


def _check_array(stream: BufferedIOBase, place: str, size: int, error: type[RezslError], remedy: str) -> None:
    if stream.read(6) != b"\x93NUMPY":  # the reader of the file says what it expects instead
        return
    version = tuple(stream.read(2))
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in read_header:  # an array of named fields, or a damaged file
        return
    shape, _, kind = read_header[version](stream)
    declared = int(np.prod([int(side) for side in shape], dtype=object)) * kind.itemsize
    found = size - stream.tell()
    if not kind.hasobject and declared != found:
        raise error(
            f"{place}: expected {declared:,} bytes of numbers, as its header declares ({kind} of shape {shape}), got "
            f"{found:,}; {remedy}"
        )
