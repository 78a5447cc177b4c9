"""Storages of Optuna's studies: a database by its URL, or a journal file by its path."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from rezsl.errors import ArgumentError, RezslError


def open_storage(location: str) -> BaseStorage:
    """Open a database by its URL, such as ``sqlite:///study.db``, or a local journal file by its path.

    Raises:
        ArgumentError: the database cannot be reached, or the file's folder does not exist.
    """
    if "://" not in location:
        path = Path(location)
        if not path.absolute().parent.is_dir():
            raise ArgumentError(f"storage: expected a file in a folder that exists, got {location}; make the folder")
        return JournalStorage(JournalFileBackend(location))
    with explained_errors(location):
        return RDBStorage(location)


@contextmanager
def explained_errors(location: str) -> Iterator[None]:
    """Raise what is wrong with a database as an error of one line, when it is opened and later."""
    if "://" not in location:
        yield
        return
    from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError  # noqa: PLC0415 - takes long, for databases only

    scheme = location.partition("://")[0]
    try:
        yield
    except RezslError:
        raise
    except Exception as error:
        # Optuna's own code fails after a lost connection, so the reason can be deep in the chain of exceptions.
        chain: list[BaseException] = [error]
        while (deeper := chain[-1].__cause__ or chain[-1].__context__) is not None:
            chain.append(deeper)
        missing = [part.name for part in chain if isinstance(part, ModuleNotFoundError)]
        of_database = [part for part in chain if isinstance(part, SQLAlchemyError)]
        if isinstance(error, NoSuchModuleError):
            raise ArgumentError(f"storage: expected sqlite, postgresql or mysql before ://, got {scheme}") from error
        if missing:
            raise ArgumentError(
                f"storage: {scheme}:// needs the Python package {missing[-1]}, which is not installed; install it, or "
                f"name another driver, as in {scheme.partition('+')[0]}+DRIVER://"
            ) from error
        if of_database:
            reason = str(of_database[-1].__cause__ or of_database[-1]).splitlines()[0]
            raise ArgumentError(f"storage: the {scheme} database cannot be used ({reason})") from error
        raise
