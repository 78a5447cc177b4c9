"""Files that are read with errors that name them, and written whole."""

import csv
import hashlib
import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load, save
from torch import Tensor

from rezsl.encodings import NO_TEXT, ONE_BYTE, decoded, encoding_of
from rezsl.errors import ArgumentError, DataError, RezslError, needs, printable
from rezsl.limits import check_aliases, check_array_file, check_depth, check_regular, check_yaml_size
from rezsl.sources import read_bytes
from rezsl.writing import write_atomically

Rows = list[tuple[int, list[str]]]
"""Rows of a CSV file: the line that each begins on, and its cells."""

RESTORE, CORRECT, CHECK = "restore the file from a copy", "correct the file", "check the path"
"""What to do with a file that is damaged, one that was written by hand, and one that does not exist."""

_SURROGATE = re.compile("[\ud800-\udfff]")

# Python keeps bytes of file names that are no UTF-8 as halves of surrogate pairs, which no encoding has.
_FROM_BYTES = dict(zip(range(0xDC80, 0xDD00), range(0x10FF80, 0x110000), strict=True))
_TO_BYTES = {private: byte for byte, private in _FROM_BYTES.items()}


@contextmanager
def reading(path: Path, expected: str, error: type[RezslError], remedy: str = RESTORE) -> Iterator[None]:
    """Replace every error inside the block by one that names the file, what was expected of it, and the remedy.

    Errors of rezsl pass unchanged. All others are replaced, because damaged files make libraries raise almost anything.
    A remedy for the content of any file, such as :data:`CORRECT`, is none for a file that does not exist. A pipe or a
    device is refused before the block, which might wait for it or read it without an end.
    """
    check_regular(path, expected, error)
    try:
        yield
    except RezslError:
        raise
    except OSError as problem:
        if path.is_dir() or remedy in (RESTORE, CORRECT):
            check_file(path, expected, error)
        reason = problem.strerror or one_line(problem)
        raise error(f"{path}: cannot be read ({reason}); expected {expected}; {remedy}") from problem
    except Exception as problem:
        raise error(f"{path}: expected {expected}, got a damaged file ({one_line(problem)}); {remedy}") from problem


def check_file(path: Path, expected: str, error: type[RezslError]) -> None:
    """Raise ``error`` where there is no file; ``expected`` says what it is, such as "an image"."""
    if path.is_dir():
        raise error(f"{path}: expected {expected}, got a folder; name a file")
    if not path.exists():
        raise error(f"{path}: no such file{_beginning(path)}; {CHECK}")


def check_folder(path: Path, expected: str, error: type[RezslError]) -> None:
    """Raise ``error`` where there is no folder; ``expected`` says what the folder holds."""
    if path.is_dir():
        return
    if path.exists():
        raise error(f"{path}: expected a folder with {expected}, got a file; name a folder")
    raise error(f"{path}: no such folder{_beginning(path)}; {CHECK}")


def _beginning(path: Path) -> str:
    """Return where a relative path begins, for a message: the record of a run may have been written elsewhere."""
    return "" if path.is_absolute() else f" in {Path.cwd()}"


def local_path(path: str | Path) -> Path:
    """Return the path that a user means: ``~`` is the user's folder, which a shell replaces only before a word.

    Bytes come back that :func:`as_text` has replaced.
    """
    # Path.expanduser raises an error where there is no such user.
    expanded = os.path.expanduser(path)
    return Path(expanded if expanded.isascii() else expanded.translate(_TO_BYTES))


def folder_name(folder: Path) -> str:
    """Return the name of a folder, also of ``.``, as a name of data, which plots and records can show."""
    return printable(folder.resolve().name)


def as_text(path: str) -> str:
    """Return a path that YAML and JSON can hold: private letters stand for bytes of a file's name that are no UTF-8."""
    return path if path.isascii() else path.translate(_FROM_BYTES)


def folder_around(folder: Path) -> Path:
    """Return the folder that holds another one, named relative to the same place."""
    return Path(os.path.normpath(folder / ".."))


def check_source(source: str, holds: str, example: str) -> str:
    """Return the source of a network, as in :func:`local_path`: a folder, or what can be the id of a model on the hub.

    Raises:
        ArgumentError: it is neither; the message says what the folder would hold, and has an example of an id.
    """
    source = os.path.expanduser(source)
    path, part = Path(source), r"\w([\w.-]*\w)?"
    # The hub's own rule, by which its client would refuse the id in other words.
    is_id = re.fullmatch(f"{part}(/{part})?", source, re.ASCII) and not re.search(r"--|\.\.|\.git$|.{97}", source)
    if path.is_dir() or (is_id and not path.exists()):
        return source
    got = "a file" if path.is_file() else "no folder of this name"
    raise ArgumentError(
        f"source: expected a folder with {holds}, or a model of the hub such as {example}, got {source!r}, {got}; "
        f"{CHECK}"
    )


@contextmanager
def naming(place: Path | str) -> Iterator[None]:
    """Put the name of a file or folder before the message of every :class:`DataError` raised inside the block."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{place}: {error}") from error


def one_line(problem: BaseException) -> str:
    """Return the class and the message of an exception in at most 200 characters, for a message of one line."""
    return " ".join(f"{type(problem).__name__}: {problem}".split())[:200]


def read_text(path: Path, error: type[RezslError], expected: str = "text", remedy: str = RESTORE) -> str:
    """Read a text file of any common encoding, see :mod:`rezsl.encodings`, without its byte-order mark."""
    with reading(path, expected, error, remedy):
        content = read_bytes(path)
        try:
            return decoded(content)
        except ValueError as problem:
            raise error(f"{path}: expected {expected}, got {NO_TEXT}; save it as UTF-8; {remedy}") from problem


def note_on_encoding(path: Path) -> list[str]:
    """Return a note where the encoding of a text file is a guess, because it has one byte per letter."""
    if encoding_of(read_bytes(path))[0] != ONE_BYTE:
        return []
    return [f"{path.name} is no UTF-8, and was read as Windows-1252; save it as UTF-8 if names look wrong"]


def json_text(content: Any, indent: int | None = 2, ascii_only: bool = False) -> str:
    """Return JSON with a final line break, and with readable letters of every language unless it is ``ascii_only``."""
    text = json.dumps(content, indent=indent, ensure_ascii=ascii_only) + "\n"
    return _SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def write_json(path: Path, content: Any, indent: int | None = 2) -> None:
    """Write a JSON file atomically."""
    write_atomically(path, json_text(content, indent))


def read_json(
    path: Path, error: type[RezslError], expected: str = "a JSON object", remedy: str = RESTORE
) -> dict[str, Any]:
    """Read a JSON file that holds an object; ``error`` is raised for a missing or damaged file and for other JSON."""
    with reading(path, expected, error, remedy):
        content = json.loads(read_text(path, error, expected, remedy))
    if not isinstance(content, dict):
        raise error(f"{path}: expected {expected}, got JSON of the type {type(content).__name__}; {remedy}")
    check_depth(content, path, expected, error, remedy)
    return content


_COMMENT = re.compile(r'"?#\s+(\S.*)')
"""A line above the header of a CSV file that is no row; spreadsheets put its text into quotes if it has a comma."""

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|nan)")


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return comma-separated lines, the header first.

    A spreadsheet runs a cell that begins with = + - or @ as a formula, unless an apostrophe stands before it. One is
    put before each such text that is no number, and :func:`read_csv` removes it again.
    """
    lines = []
    for cells in [header, *rows]:
        line = io.StringIO(newline="")
        # With this line end, a carriage return inside a cell is quoted too.
        csv.writer(line, lineterminator="\r\n").writerow([_protected(cell) for cell in cells])
        lines.append(line.getvalue().removesuffix("\r\n") + "\n")
    return "".join(lines)


def _protected(cell: Any) -> Any:
    is_formula = isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell)
    return f"'{cell}" if is_formula else cell


def _unprotected(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV file atomically."""
    write_atomically(path, csv_text(header, rows))


def delimiter_of(path: Path, error: type[RezslError], remedy: str = CORRECT) -> str:
    """Return what separates the cells of a CSV file: a comma, a semicolon or a tab.

    It is the character that Excel's line ``sep=;`` names, or else the one that occurs equally often in the header and
    in the row below it, outside quotes, and most often. ``error`` is raised where the file cannot be read.
    """
    text = read_text(path, error, "comma-separated text", remedy).lstrip()
    while _COMMENT.match(text):
        text = text.partition("\n")[2].lstrip()
    text = re.sub(r'"[^"]*"', "", text)
    lines = [line for line in text.splitlines() if line.strip()][:2]
    if lines and (named := re.fullmatch(r"sep=(.)", lines[0])):
        return named[1]
    counts = {mark: [line.count(mark) for line in lines] for mark in ",;\t"}
    return max(counts, key=lambda mark: (len({*counts[mark]} - {0}) == 1 and all(counts[mark]), sum(counts[mark][:1])))


def read_csv(
    path: Path,
    error: type[RezslError],
    columns: Sequence[str] = (),
    remedy: str = CORRECT,
    delimiter: str = ",",
) -> tuple[list[str], Rows]:
    """Read a CSV file and return its header, without surrounding blanks, and its rows that are not blank.

    Lines above the header that begin with # and a blank are comments, see :func:`comments_of`.

    ``error`` is raised, with the ``remedy``, where the file cannot be read, lacks one of the ``columns``, which may be
    in any order, or has a row of another length than the header.
    """
    expected = "comma-separated text" if delimiter == "," else f"text separated by {delimiter!r}"
    with reading(path, expected, error, remedy):
        reader = csv.reader(io.StringIO(read_text(path, error, expected, remedy), newline=""), delimiter=delimiter)
        found = [([_unprotected(cell) for cell in cells], reader.line_num) for cells in reader]
    # A quoted cell may contain line breaks, so a row begins on the line after the last line of the row before it.
    begins = [1, *(last + 1 for _, last in found)]
    numbered = [(line, cells) for line, (cells, _) in zip(begins, found, strict=False) if any(map(str.strip, cells))]
    if numbered and numbered[0][1] == ["sep=", ""]:  # the line in which Excel names the delimiter
        del numbered[0]
    while numbered and _COMMENT.match(numbered[0][1][0]):
        del numbered[0]
    (_, first), *rows = numbered or [(1, [])]
    header = [cell.strip() for cell in first]
    if not set(columns) <= set(header):
        got = ", ".join(header) or "none"
        raise error(f"{path}: expected the columns {', '.join(columns)}, got {got}; {remedy}")
    for _, cells in rows:
        if not any(map(str.strip, cells[len(header) :])):
            del cells[len(header) :]
    if wrong := [(line, len(cells)) for line, cells in rows if len(cells) != len(header)]:
        line, count = wrong[0]
        more = and_others(len(wrong), "line")
        raise error(f"{path}, line {line}: expected {len(header)} cells, got {count}{more}; {remedy}")
    return header, rows


def comments_of(path: Path, error: type[RezslError]) -> list[str]:
    """Return the comments above the header of a CSV file, without the marks that a spreadsheet adds at their ends."""
    lines = [line for line in read_text(path, error).splitlines() if line.strip() and not line.startswith("sep=")]
    found = (_COMMENT.match(line) for line in lines)
    return [comment[1].rstrip('",; \t') for comment in takewhile(bool, found) if comment]


def and_others(count: int, what: str) -> str:
    """Return the end of a message that names the first of ``count`` wrong places; empty where there is only one."""
    return f"; the same holds for {count - 1} other {what}{'s' if count > 2 else ''}" if count > 1 else ""


def read_yaml(path: Path, error: type[RezslError], remedy: str = CORRECT) -> Any:
    """Read a YAML file, in which ``1e-4`` is a number as on the command line, and no key may occur twice."""
    with needs("cli", "reading YAML files"):
        import yaml  # noqa: PLC0415 - an optional package

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            names = [key.value for key, _ in node.value]
            for position, (key, _) in enumerate(node.value):
                if key.value in names[:position]:
                    problem = f"the key {key.value!r} occurs twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            return super().construct_mapping(node, deep)

    number = re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$")
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", number, list("-+0123456789."))
    with reading(path, "a YAML file", error, remedy):
        try:
            check_yaml_size(path, error, remedy)
            loader = Loader(read_text(path, error, "a YAML file", remedy))
            check_aliases(root := loader.get_single_node(), path, error, remedy)
            return None if root is None else loader.construct_document(root)
        except yaml.MarkedYAMLError as problem:
            line = f" in line {problem.problem_mark.line + 1}" if problem.problem_mark is not None else ""
            raise error(f"{path}: expected YAML, got an error{line} ({problem.problem}); {remedy}") from problem


def write_npz(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays by name into one NumPy file, atomically."""
    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type] # none is called allow_pickle
    write_atomically(path, content.getvalue())


def read_npz(
    path: Path, error: type[RezslError], expected: str = "arrays of NumPy", remedy: str = RESTORE
) -> dict[str, NDArray[Any]]:
    """Read the arrays of an ``.npz`` file by name, or the array of an ``.npy`` file by the name ``arr_0``.

    Pickled objects are refused, because loading them could run code.
    """
    with reading(path, expected, error, remedy), path.open("rb") as stream:
        check_array_file(stream, path, error, remedy)
        content = np.load(stream, allow_pickle=False)
        arrays = {"arr_0": content} if isinstance(content, np.ndarray) else dict(content.items())
        others = [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]
        if others:
            raise ValueError(f"{others[0]!r} is no array")
        return arrays


def tensor_bytes(tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> bytes:
    """Return tensors by name, and text about them, in the format of safetensors."""
    kept = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    return save(kept, metadata=metadata)


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> str:
    """Write a safetensors file atomically and return the sha256 of its bytes."""
    content = tensor_bytes(tensors, metadata)
    write_atomically(path, content)
    return sha256(content)


def read_tensors(
    path: Path,
    error: type[RezslError],
    checksum: str | None = None,
    expected: str = "tensors in the format of safetensors",
    remedy: str = RESTORE,
) -> dict[str, Tensor]:
    """Read a safetensors file; where a sha256 is given, a file of other bytes is refused."""
    with reading(path, expected, error, remedy):
        content = path.read_bytes()
        if checksum is not None and sha256(content) != checksum:
            raise error(f"{path}: expected the recorded checksum {checksum[:8]}…, got another file; {remedy}")
        return load(content)


def sha256(content: bytes) -> str:
    """Return the SHA-256 checksum of bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
