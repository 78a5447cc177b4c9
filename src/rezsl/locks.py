"""Locks of files and directories, which end with the processes that hold them, however these processes end."""

import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from rezsl.errors import RunDirectoryError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LOCK = ".lock"
"""The file in a directory whose lock is that of the directory. It is removed at the end, if the end is orderly."""

SILENT_SECONDS = 1.0
"""A wait that is longer than this is reported."""

_held: ContextVar[frozenset[Path]] = ContextVar("held", default=frozenset())
"""The directories that the callers of the running function have locked."""

_descriptors: set[int] = set()
"""The locked descriptors of this process."""


class NoLocksError(OSError):
    """The file system has no locks."""


@contextmanager
def locked(directory: Path, argument: str) -> Iterator[tuple[int, ...]]:
    """Lock a directory, which is made if it does not exist, and yield the descriptor of the lock.

    Processes that inherit the descriptor share the lock, which ends with the last of them. Forked processes give up
    their part, because they would hold the directory after the death of the process that writes it. On a file system
    without locks the directory is not locked, and there is no descriptor; neither is there one inside a call that has
    locked the same directory. A directory that was made here, and is empty in the end, is removed.

    Raises:
        RunDirectoryError: another process has locked the directory, or it cannot be made or written; the message names
            the argument.
    """
    if (place := directory.absolute().resolve()) in _held.get():
        yield ()
        return
    made, descriptor = _entered(directory, argument)
    token = _held.set(_held.get() | {place})
    try:
        yield () if descriptor is None else (descriptor,)
    finally:
        _held.reset(token)
        if descriptor is not None:
            _close(descriptor)
        _discard(directory / LOCK)
        if made:
            with suppress(OSError):  # it holds something
                directory.rmdir()


def _entered(directory: Path, argument: str) -> tuple[bool, int | None]:
    """Return whether the directory was made, and the locked descriptor, or None on a file system without locks."""
    made = False
    try:
        while True:
            made = _make(directory) or made
            try:
                descriptor = _acquire(directory / LOCK)
            except NoLocksError:
                return made, None
            except FileNotFoundError:  # its maker has removed the directory in between
                continue
            if descriptor is not None:
                return made, descriptor
            raise RunDirectoryError(
                f"{argument}: expected a free directory, got {directory}, which another process uses; wait for its end "
                f"or choose another directory"
            )
    except (FileExistsError, NotADirectoryError) as error:
        raise RunDirectoryError(
            f"{argument}: expected a directory, got the file {error.filename}; choose another place"
        ) from error
    except OSError as error:
        what = "written" if directory.is_dir() else "made"
        raise RunDirectoryError(
            f"{argument}: expected a directory that can be written, but {directory} cannot be {what} "
            f"({error.strerror}); choose another one"
        ) from error


def _make(directory: Path) -> bool:
    """Make a directory unless it exists, and return whether it was made."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    try:
        directory.mkdir()
    except FileExistsError:
        if directory.is_dir():
            return False
        raise
    return True


@contextmanager
def waited_for(path: Path, say: Callable[[str], None]) -> Iterator[int]:
    """Open a file, which is made if it does not exist, wait until it can be locked, and yield its descriptor.

    ``say`` is called once with a line about the wait if it takes longer than a second. A process that has died holds
    no lock, so that nobody waits for it.

    Raises:
        NoLocksError: the file system has no locks.
    """
    started, pause, said = time.monotonic(), 0.001, False
    while (descriptor := _acquire(path)) is None:
        if not said and time.monotonic() - started > SILENT_SECONDS:
            said = True
            say(f"waiting for another process, which has locked {path}")
        time.sleep(pause)
        pause = min(0.05, 2 * pause)
    try:
        yield descriptor
    finally:
        _close(descriptor)


@contextmanager
def one_at_a_time(path: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Let one process at a time run the block; the others wait. The file exists while a process is in the block.

    On a file system without locks nobody waits.
    """
    try:
        with ExitStack() as lock:
            with suppress(NoLocksError):
                lock.enter_context(waited_for(path, say))
            yield
    finally:
        _discard(path)


def _acquire(path: Path) -> int | None:
    """Return a descriptor of the locked file, which is made if need be; None where another process has locked it.

    Raises:
        NoLocksError: the file system has no locks.
        OSError: the file cannot be opened for writing, or is a link.
    """
    while True:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags, 0o666)
        try:
            if not _lock(descriptor):
                os.close(descriptor)
                return None
            # The process that held the lock may have removed the file since it was opened here.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                    _descriptors.add(descriptor)
                    return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _close(descriptor: int) -> None:
    """Close a locked descriptor, whose lock ends unless another process has inherited it."""
    _descriptors.discard(descriptor)
    if sys.platform == "win32":
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
    os.close(descriptor)


def _discard(path: Path) -> None:
    """Remove the file of a lock, unless another process has locked it or has inherited its lock."""
    with suppress(OSError):
        if sys.platform == "win32":
            path.unlink()  # Windows removes no file that is open
            return
        try:
            descriptor = _acquire(path)
        except NoLocksError:
            path.unlink()
            return
        if descriptor is not None:
            path.unlink()
            _close(descriptor)


_FAR = 1 << 30
"""The byte that is locked on Windows, where no other process can read it; none of our files is as long."""


def _lock(descriptor: int) -> bool:
    """Lock an open file, and return whether that worked; a file system without locks is a :class:`NoLocksError`."""
    try:
        if sys.platform == "win32":
            os.lseek(descriptor, _FAR, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
            return False
        raise NoLocksError(error.errno, error.strerror) from error
    return True


def _give_up() -> None:
    """Close the locked descriptors in a forked process; the lock of the process that it was forked from stays."""
    for descriptor in _descriptors:
        with suppress(OSError):
            os.close(descriptor)
    _descriptors.clear()
    _held.set(frozenset())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_give_up)
