"""One process at a time in a directory."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rezsl.errors import RunDirectoryError


@contextmanager
def held(directory: Path, argument: str) -> Iterator[tuple[int, ...]]:
    """Hold a directory, which is made if need be, and give the lock's descriptor.

    Whoever inherits the descriptor holds the directory as well: it is free when the last of them has ended, whatever
    ended them. On a file system without such locks nothing is held, and there is no descriptor.

    Raises:
        RunDirectoryError: someone else holds it, or it cannot be made; ``argument`` is what the message calls it.
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
            f"{argument}: another process is at work in {directory}; wait until it has ended, or stop it"
        ) from None
    except OSError:
        return False
    return True
