"""Files that are written whole or not at all, and the temporary files that this leaves after a crash."""

import errno
import hashlib
import itertools
import os
import platform
import re
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from rezsl.locks import LOCK

_HOST = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
_PARTIAL = re.compile(r"\..+\.(?:(?P<host>[0-9a-f]{8})-)?(?P<process>\d+)(-\d+)?\.partial", re.DOTALL)
_count = itertools.count()
_being_written: set[Path] = set()

DAY = 86400.0
"""A file that another machine began to write is taken for abandoned after this time, in seconds."""


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write a file so that every reader, even after a crash or on a full disk, finds the old content or the new one.

    Raises:
        OSError: the path is that of a device, a pipe or a socket, which would be replaced by the file.
    """
    with suppress(FileNotFoundError):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode) and path.exists():
            # A link such as /dev/stdout, which every program of the machine needs, must not be replaced either.
            mode = 0 if os.readlink(path).startswith("/proc/") else path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode)):
            raise OSError(errno.EINVAL, "expected a file, got a device or a pipe; choose another name", str(path))
    with _written_beside(path, content) as partial:
        partial.replace(path)


def create_atomically(path: Path, content: bytes | str) -> bool:
    """Write a whole file unless the path exists, and return whether this process created it."""
    with _written_beside(path, content) as partial:
        try:
            os.link(partial, path)
        except FileExistsError:
            return False
    return True


@contextmanager
def _written_beside(path: Path, content: bytes | str) -> Iterator[Path]:
    """Keep the content in a temporary file of the same directory, and remove that file afterwards.

    Temporary files of the same path, which processes have left that were killed, are removed too.
    """
    # A name in a text may have a byte that is no UTF-8; it is written as an escape, because the text is UTF-8.
    data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    remove_partials(path.parent, path.name)
    # Each write has a name of its own, so that writers of one file do not move each other's. It is opened as a new
    # file: a link that lies in a stranger's folder under this name would lead elsewhere.
    partial = path.with_name(f".{path.name}.{_HOST}-{os.getpid()}-{next(_count)}.partial")
    _being_written.add(partial)
    try:
        with naming_full_disk(path), partial.open("xb", buffering=0) as stream:
            write_whole(stream, data)
            os.fsync(stream.fileno())
        yield partial
    finally:
        partial.unlink(missing_ok=True)
        _being_written.discard(partial)


def remove_partials(directory: Path, name: str | None = None, everyone: bool = False) -> None:
    """Remove the files that processes began to write into a directory and left when they were killed.

    Args:
        directory: the directory; nothing happens where there is none.
        name: of the file that they wrote; None stands for all.
        everyone: remove also those of processes that live, which only the process that has locked the directory may do.
    """
    begins = "." if name is None else f".{name}."
    with suppress(OSError):
        for entry in os.listdir(directory):
            found = _PARTIAL.fullmatch(entry) if entry.startswith(begins) else None
            if found is not None and (everyone or _is_abandoned(directory / entry, found)):
                (directory / entry).unlink(missing_ok=True)


def _is_abandoned(partial: Path, found: re.Match[str]) -> bool:
    """Return whether the process that has begun a temporary file is dead, as far as this process can know."""
    process = int(found["process"])
    if partial in _being_written:
        return False
    if found["host"] not in (None, _HOST) or sys.platform == "win32":  # there, the signal 0 ends a process
        return time.time() - partial.lstat().st_mtime > DAY
    try:
        if process != os.getpid():
            os.kill(process, 0)
            return False
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # another user's
        return False
    return True


def entries(directory: Path) -> list[Path]:
    """Return what a directory holds, without its lock and the temporary files of processes that write into it."""
    return [path for path in directory.iterdir() if path.name != LOCK and not _PARTIAL.fullmatch(path.name)]


def write_whole(stream: FileIO, content: bytes) -> None:
    """Write to an unbuffered file, which may take less at a time than it is given."""
    rest = memoryview(content)
    while rest:
        rest = rest[stream.write(rest) :]


@contextmanager
def naming_full_disk(path: Path) -> Iterator[None]:
    """Name the file in the operating system's errors inside the block, such as that of a full disk, which do not."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
