"""A lock that lets only one process use a directory."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rezsl.errors import RunDirectoryError


@contextmanager
def held(directory: Path, argument: str) -> Iterator[tuple[int, ...]]:
    """Lock a directory, which is made if it does not exist, and yield the descriptor of the lock.

    Processes that inherit the descriptor share the lock, which ends with the last of them, however they end. On a file
    system without such locks the directory is not locked, and there is no descriptor.

    Args:
        directory: the directory.
        argument: the name of the directory's argument, for messages.

    Raises:
        RunDirectoryError: another process has locked the directory, or it cannot be made.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except (FileExistsError, NotADirectoryError) as error:
        raise RunDirectoryError(f"{argument}: expected a directory, got the file {error.filename}") from error
    except OSError as error:
        raise RunDirectoryError(f"{argument}: {directory} cannot be made ({error.strerror})") from error
    try:
        yield (descriptor,) if _locked(descriptor, directory, argument) else ()
    finally:
        os.close(descriptor)


def _locked(descriptor: int, directory: Path, argument: str) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RunDirectoryError(
            f"{argument}: expected a free directory, got {directory}, which another process uses; wait for its end"
        ) from None
    except OSError:
        return False
    return True
