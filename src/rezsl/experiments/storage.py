"""The storage of a study: a journal file that survives a full disk and kill -9, or a database."""

import json
import logging
import os
import random
import re
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any

from rezsl.errors import ArgumentError, RezslError, RunDirectoryError, needs
from rezsl.files import local_path, one_line
from rezsl.locks import NoLocksError, one_at_a_time, waited_for
from rezsl.terminal import Terminal
from rezsl.writing import naming_full_disk, write_whole

with needs("experiments", "searches"):
    import optuna
    from optuna.storages import BaseStorage, JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

BEGINS = b'{"op_code":'
"""The beginning of every line of a journal."""

BLOCK = 1 << 16

REPAIR = "restore the file from a copy, or name another one to begin anew"

TRIES = 4
"""A database may be made by several processes at once, of which a server lets some fail."""

SECONDS_FOR_WRITERS = 60.0
"""The time that a process waits for the others that write into the same SQLite file."""


def say(line: str) -> None:
    """Print a line about a wait where it does not disturb the output."""
    Terminal(stderr=True).print(line, highlight=False, markup=False, soft_wrap=True)


class Journal(JournalFileBackend):
    """Optuna's journal in a file, whose lines are whole: a line that was cut off is removed, and never added to.

    The lock is that of the file itself, so that it ends with a process that dies while it writes. Only on a file system
    without locks it is a file beside the journal, which stays after a crash, and counts for half a minute.

    Raises:
        RunDirectoryError: the file is damaged, or no journal; nothing of it is changed then.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path
        self.failure: OSError | None = None
        with self._locked() as stream, naming_full_disk(path):
            first = stream.read(len(BEGINS))
            if not _begins_a_line(first):
                raise self._damaged("the file is something else", "name another file")
            end = self._cut_back(stream)
            # Earlier versions added an entry to a line that was cut off.
            while end and not _is_json(line := _last_line(stream, end)) and _begins_a_line(line):
                end -= len(line)
                stream.truncate(end)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Add lines; where they do not fit on the disk, the file stays as it was."""
        content = "".join(f"{json.dumps(log, separators=(',', ':'))}\n" for log in logs).encode()
        try:
            with self._locked() as stream, naming_full_disk(self.path):
                end = self._cut_back(stream)
                try:
                    write_whole(stream, content)
                    os.fsync(stream.fileno())
                except BaseException:
                    stream.truncate(end)
                    raise
        except OSError as error:
            self.failure = error
            raise

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """Yield the lines from a number on; a line that another process is writing is left out."""
        line = log_number_from
        try:
            for log in super().read_logs(log_number_from):
                line += 1
                if not _is_operation(log):
                    raise self._damaged(f"line {line} is {str(log)[:40]!r}")
                yield log
        except ValueError as error:
            if isinstance(error, RezslError):
                raise
            raise self._damaged(f"line {line + 1} is none ({one_line(error)})") from error

    def _damaged(self, what: str, remedy: str = REPAIR) -> RunDirectoryError:
        return RunDirectoryError(
            f"storage: {self.path}: expected a journal with an entry of a study in each line, but {what}; {remedy}"
        )

    @contextmanager
    def _locked(self) -> Iterator[FileIO]:
        try:
            with waited_for(self.path.resolve(), say) as descriptor:
                yield FileIO(descriptor, "r+b", closefd=False)
        except NoLocksError:
            lock = JournalFileOpenLock(str(self.path))
            lock.acquire()
            try:
                with self.path.open("r+b", buffering=0) as stream:
                    yield stream
            finally:
                lock.release()

    def _cut_back(self, stream: FileIO) -> int:
        """Remove what follows the last line break, which is a line that was cut off, and return the length left."""
        end = stream.seek(0, os.SEEK_END)
        cut = _last_line(stream, end)
        if cut and not cut.endswith(b"\n"):
            if not _begins_a_line(cut):
                raise self._damaged("its end is something else")
            end -= len(cut)
            stream.truncate(end)
        return stream.seek(end)


def _begins_a_line(text: bytes) -> bool:
    """Return whether a text can be the beginning of a line of a journal; a power cut can leave zeros behind it."""
    begin = text.rstrip(b"\0")[: len(BEGINS)]
    return begin == BEGINS[: len(begin)]


def _is_operation(log: object) -> bool:
    return isinstance(log, dict) and isinstance(log.get("op_code"), int)


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _last_line(stream: FileIO, end: int) -> bytes:
    """Return the last line of a file of some length, with the line break at its end, if it has one."""
    begin, line = end, b""
    while begin and b"\n" not in line[:-1]:
        size = min(BLOCK, begin)
        begin -= size
        stream.seek(begin)
        line = stream.read(size) + line
    return line[line.rfind(b"\n", 0, -1) + 1 :]


@contextmanager
def opened(location: str) -> Iterator[BaseStorage]:
    """Open the storage of a study; a failure of it inside the block becomes an error of one line.

    Args:
        location: a database by its URL, such as ``sqlite:///study.db``, or a journal file by its path.
    """
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(logging.ERROR)  # rezsl reports the trials itself
    try:
        if "://" in location:
            from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - takes long, for databases only

            scheme = location.partition("://")[0]
            with _explained(scheme):
                try:
                    storage = _database(location)
                except (ImportError, SQLAlchemyError):
                    raise
                except Exception as error:  # tables of something else make Optuna's code raise almost anything
                    raise _unusable(scheme, error) from error
                try:
                    yield storage
                finally:
                    storage.remove_session()
                    storage.engine.dispose()  # servers have few connections
        else:
            if not local_path(location).absolute().parent.is_dir():
                raise ArgumentError(
                    f"storage: expected a file in a folder that exists, got {location}; make the folder"
                )
            journal = Journal(local_path(location))
            try:
                yield _journal_storage(journal)
            except Exception:
                # Optuna's own code fails after an entry that could not be written.
                if journal.failure is not None:
                    raise journal.failure from None
                raise
    finally:
        optuna.logging.set_verbosity(level)


def storage_file(location: str) -> Path | None:
    """Return the file of a storage; None for a database on a server or in memory."""
    if "://" not in location:
        return local_path(location)
    from sqlalchemy.engine import make_url  # noqa: PLC0415 - takes long, for databases only
    from sqlalchemy.exc import ArgumentError as NoUrlError  # noqa: PLC0415 - the same

    try:
        url = make_url(location)
    except NoUrlError:
        return None
    is_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    return Path(str(url.database)) if is_file else None


@contextmanager
def beginning(location: str) -> Iterator[None]:
    """Let one process of this machine at a time make the storage of a study and agree with it; others wait."""
    file = storage_file(location)
    if file is None or not file.name or not file.absolute().parent.is_dir():
        yield
        return
    with one_at_a_time(file.with_name(f".{file.name}.lock"), say):
        yield


def _journal_storage(journal: Journal) -> JournalStorage:
    try:
        return JournalStorage(journal)
    except (RezslError, OSError):
        raise
    except Exception as error:  # entries of something else make Optuna's code raise almost anything
        raise journal._damaged(f"its entries are none ({one_line(error)})") from error


def _database(url: str) -> RDBStorage:
    """Open a database; where other processes make its tables at the same time, try again."""
    from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError  # noqa: PLC0415 - takes long

    options = {"connect_args": {"timeout": SECONDS_FOR_WRITERS}} if url.startswith("sqlite") else {}
    for left in reversed(range(TRIES)):
        try:
            return RDBStorage(url, options)
        except (IntegrityError, OperationalError, ProgrammingError) as error:
            if not left or not re.search("exist|unique|duplicate|locked", str(error), re.IGNORECASE):
                raise
            time.sleep(random.uniform(0.1, 0.5))
    raise AssertionError


@contextmanager
def _explained(scheme: str) -> Iterator[None]:
    """Raise an error of one line if a database has failed or is not known."""
    try:
        yield
    except RezslError:
        raise
    except Exception as error:
        _raise_explained(error, scheme)
        raise


def _raise_explained(error: Exception, scheme: str) -> None:
    """Raise an error of one line if a database has failed or is not known."""
    from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError  # noqa: PLC0415 - takes long, for databases only

    # Optuna's own code fails after a lost connection, so the reason can be deep in the chain of exceptions.
    chain: list[BaseException] = [error]
    while (deeper := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(deeper)
    missing = [part.name for part in chain if isinstance(part, ModuleNotFoundError)]
    of_database = [part for part in chain if isinstance(part, SQLAlchemyError | json.JSONDecodeError)]
    if isinstance(error, NoSuchModuleError):
        raise ArgumentError(
            f"storage: expected sqlite, postgresql or mysql before ://, got {scheme}; give one of these"
        ) from error
    if missing:
        raise ArgumentError(
            f"storage: {scheme}:// needs the Python package {missing[-1]}, which is not installed; install it, or "
            f"name another driver, as in {scheme.partition('+')[0]}+DRIVER://"
        ) from error
    if of_database:
        raise _unusable(scheme, of_database[-1].__cause__ or of_database[-1]) from error


def _unusable(scheme: str, problem: BaseException) -> ArgumentError:
    reason = (str(problem).splitlines() or [type(problem).__name__])[0]
    return ArgumentError(
        f"storage: expected a database of studies, but this one of {scheme} cannot be used ({reason}); check the "
        f"address, restore the database from a copy, or name another one"
    )
