"""Files that are read where they are: in a tar file, in a table of Arrow or Parquet, or in an object store.

Such a file has a path like any other: ``shards/birds-000.tar/wren/1.jpg``, ``pets/train.parquet/17`` (the row 17), or
``s3:/bucket/birds/images/wren/1.jpg`` for ``s3://bucket/birds/images/wren/1.jpg``. Nothing is unpacked to the disk.
"""

import errno
import json
import os
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from rezsl.errors import DataError, needs

MOST_MEMBERS = 5_000_000
"""A tar file with more members is refused; published shards have some thousands."""

MOST_BYTES = 1 << 28
"""A photo or table of more than 256 MiB inside another file, or in an object store, is refused."""

IMAGE_COLUMN = "image"

_REMOTE = re.compile(r"[a-z][a-z0-9+.-]+:(/|$)")
_INSIDE = re.compile(r"\.(tar|arrow|parquet)[/\\]")


def is_remote(path: Path) -> bool:
    """Return whether a path is an address of an object store, such as ``s3:/bucket/birds``.

    Where there is a local folder of such a name, ``s3:``, the path leads into it.
    """
    return _REMOTE.match(path.as_posix()) is not None and not os.path.lexists(path.parts[0])


def asks_network(text: str) -> bool:
    """Return whether a text is an address, such as ``s3://bucket``, or a share of another computer under Windows."""
    return text.replace("\\", "/").startswith("//") or is_remote(Path(text))


def is_inside(path: Path) -> bool:
    """Return whether a path is one of those that only :func:`read_bytes` can read."""
    return is_remote(path) or _container(path) is not None


def read_bytes(path: Path) -> bytes:
    """Return the content of a file, wherever it is.

    Raises:
        OSError: there is no such file, or it cannot be read.
        DataError: it is too large.
    """
    container = _container(path)
    if container is not None:
        name = path.relative_to(container).as_posix()
        return _member(container, name) if container.suffix == ".tar" else _cell(container, name)
    if not is_remote(path):
        return path.read_bytes()
    if (size := size_of(path)) > MOST_BYTES:
        raise DataError(f"{path}: expected a file of at most {MOST_BYTES:,} bytes, got {size:,}; leave it out")
    with _explained(path):
        system, place = _system(path)
        content: bytes = system.cat_file(place)
        return content


def size_of(path: Path) -> int:
    """Return the length of a file in bytes, wherever it is; one that does not exist is an OSError."""
    container = _container(path)
    if container is not None:
        name = path.relative_to(container).as_posix()
        if container.suffix != ".tar":
            return len(_cell(container, name))
        return _found(tar_members(container), container, name)[1]
    if not is_remote(path):
        return path.stat().st_size
    with _explained(path):
        system, place = _system(path)
        return int(system.size(place))


def exists(path: Path) -> bool:
    """Return whether there is such a file, wherever it would be."""
    if not is_remote(path):
        return path.exists()
    with _explained(path):
        system, place = _system(path)
        return bool(system.exists(place))


def list_files(folder: Path) -> list[Path]:
    """Return the files below a folder of an object store, sorted."""
    with _explained(folder):
        system, place = _system(folder)
        names = system.find(place)
    start = place.strip("/")
    return sorted(folder / name.strip("/")[len(start) :].strip("/") for name in names)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Replace what a library of an object store raises, which may be any error, by an OSError with the path."""
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, "no such file", str(path)) from error
    except (DataError, ImportError):
        raise
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise OSError(errno.EIO, reason, str(path)) from error


@lru_cache(maxsize=16)
def _system_of(scheme: str) -> Any:
    with needs("remote", "object stores"):
        import fsspec  # noqa: PLC0415 - an optional package

        return fsspec.filesystem(scheme)


def _system(path: Path) -> tuple[Any, str]:
    """Return the file system of fsspec, and the path in it."""
    scheme, _, rest = path.as_posix().partition(":/")
    return _system_of(scheme), rest


def _container(path: Path) -> Path | None:
    """Return the tar file or table that a path leads into; None where it leads into none."""
    text = str(path)
    for found in _INSIDE.finditer(text):
        container = Path(text[: found.end() - 1])
        if container.is_file():
            return container
    return None


def tar_members(path: Path) -> dict[str, tuple[int, int]]:
    """Return the position and the length of every regular file in a tar file by its name.

    Raises:
        DataError: the file is compressed, no tar file, or has too many members.
    """
    state = path.stat()
    return _tar_members(str(path), state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=1024)
def _tar_members(path: str, _changed: int, size: int) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                # Links and sparse files lead elsewhere, and what is cut off is not there.
                whole = member.offset_data + member.size <= size and not member.sparse
                if member.isreg() and whole:
                    found.setdefault(member.name.removeprefix("./"), (member.offset_data, member.size))
                if len(found) > MOST_MEMBERS:
                    raise DataError(f"{path}: expected at most {MOST_MEMBERS:,} files, got more; divide it into shards")
                archive.members = []  # type: ignore[attr-defined] # which would keep every header in memory
    except (tarfile.TarError, ValueError, EOFError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{path}: expected a tar file without compression, got another or a damaged one ({error}); decompress it, "
            f"or make it again with tar -cf"
        ) from error
    return found


def _found(members: dict[str, tuple[int, int]], container: Path, name: str) -> tuple[int, int]:
    if name not in members:
        raise FileNotFoundError(2, "no such file in it", str(container / name))
    return members[name]


def _member(container: Path, name: str) -> bytes:
    offset, size = _found(tar_members(container), container, name)
    if size > MOST_BYTES:
        raise DataError(
            f"{container / name}: expected a file of at most {MOST_BYTES:,} bytes, got {size:,}; leave it out"
        )
    with container.open("rb") as stream:
        stream.seek(offset)
        return stream.read(size)


@lru_cache(maxsize=4)
def _table(path: str, _changed: int) -> Any:
    with needs("datasets", "tables of Arrow and Parquet"):
        import pyarrow  # noqa: PLC0415 - an optional package
        import pyarrow.parquet  # noqa: PLC0415 - the same

    try:
        if path.endswith(".parquet"):
            return pyarrow.parquet.read_table(path, memory_map=True)
        return pyarrow.ipc.open_stream(pyarrow.memory_map(path)).read_all()
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(
            f"{path}: expected a table of Arrow or Parquet, got a damaged file ({error}); restore it"
        ) from error


def read_table(path: Path) -> Any:
    """Return a table of Arrow (which is mapped into memory) or Parquet (which is read)."""
    return _table(str(path), path.stat().st_mtime_ns)


def _cell(container: Path, name: str) -> bytes:
    """Return the bytes of the image in a row of a table, whose number the name is."""
    table = read_table(container)
    if not name.isdecimal() or int(name) >= len(table):
        raise FileNotFoundError(2, "no such row in it", str(container / name))
    value = table[IMAGE_COLUMN][int(name)].as_py()
    content = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(content, bytes):
        raise DataError(
            f"{container / name}: expected the bytes of an image, got {type(content).__name__}, or a path of another "
            f"file, which is not followed; save the data set with its images inside"
        )
    return content


def features_of(table: Any) -> dict[str, Any]:
    """Return the features that a data set of Hugging Face has described in the metadata of its table, by column."""
    described = (table.schema.metadata or {}).get(b"huggingface")
    try:
        content = json.loads(described) if described else {}
        return dict(content.get("info", {}).get("features", {}))
    except (ValueError, AttributeError, TypeError):
        return {}
