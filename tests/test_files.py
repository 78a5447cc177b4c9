"""Reading and writing files, with one form of error for each format."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rezsl.errors import DataError, MissingPackageError, RunDirectoryError, needs
from rezsl.files import (
    read_csv,
    read_json,
    read_npz,
    read_tensors,
    read_yaml,
    reading,
    write_csv,
    write_json,
    write_npz,
    write_tensors,
)

READERS: list[tuple[Callable[..., Any], bytes]] = [
    (read_json, b'{"a": 1'),
    (read_csv, b"\xff\xfe\x00"),
    (read_yaml, b"a: [1"),
    (read_npz, b"PK\x03\x04rest"),
    (read_tensors, b"\x08\x00\x00\x00\x00\x00\x00\x00nothing"),
]


@pytest.mark.parametrize(("read", "damage"), READERS)
def test_missing_and_damaged_files_are_named_with_a_remedy(
    tmp_path: Path, read: Callable[..., Any], damage: bytes
) -> None:
    path = tmp_path / "file"
    with pytest.raises(
        RunDirectoryError, match=r"file: cannot be read \(No such file.*\); expected .*; ask for another"
    ):
        read(path, RunDirectoryError, remedy="ask for another")
    path.write_bytes(damage)
    with pytest.raises(DataError, match=r"file.*: expected .*, got .*; ask for another$") as caught:
        read(path, DataError, remedy="ask for another")
    assert "\n" not in str(caught.value)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"ä": [1, 2.5, None]})
    assert read_json(tmp_path / "a.json", DataError) == {"ä": [1, 2.5, None]}
    assert "ä" in (tmp_path / "a.json").read_text(encoding="utf-8")
    write_csv(tmp_path / "a.csv", ["x", "y"], [["a\nb", 1], ["", "ä,"]])
    assert read_csv(tmp_path / "a.csv", DataError, ["y"]) == (["x", "y"], [(2, ["a\nb", "1"]), (4, ["", "ä,"])])
    write_npz(tmp_path / "a.npz", {"numbers": np.arange(3), "names": np.array(["u", "v"])})
    arrays = read_npz(tmp_path / "a.npz", DataError)
    assert {name: array.tolist() for name, array in arrays.items()} == {"numbers": [0, 1, 2], "names": ["u", "v"]}
    np.save(tmp_path / "a.npy", np.arange(2))
    assert read_npz(tmp_path / "a.npy", DataError)["arr_0"].tolist() == [0, 1]
    np.save(tmp_path / "code.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(DataError, match="allow_pickle=False"):
        read_npz(tmp_path / "code.npy", DataError)


def test_tensors_are_checked_by_their_sum(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    checksum = write_tensors(path, {"t": torch.arange(6).view(2, 3).T})
    assert read_tensors(path, DataError, checksum)["t"].tolist() == [[0, 3], [1, 4], [2, 5]]
    write_tensors(path, {"t": torch.zeros(1)})
    with pytest.raises(DataError, match=r"expected the recorded checksum .*, got another file; restore"):
        read_tensors(path, DataError, checksum)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "expected the columns a, b, got none"),
        ("a,c\n1,2\n", "expected the columns a, b, got a, c"),
        ("a,b\n\n1,2,3\n", "line 3: expected 2 cells, got 3"),
        ('a,b\n"x\ny",2\n1\n', "line 4: expected 2 cells, got 1"),
    ],
)
def test_tables_that_do_not_fit_are_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(DataError, match=message):
        read_csv(tmp_path / "t.csv", DataError, ["a", "b"])
    (tmp_path / "t.csv").write_text("\ufeff b , a\n1,2, ,\n")
    assert read_csv(tmp_path / "t.csv", DataError, ["a", "b"]) == (["b", "a"], [(2, ["1", "2"])])


def test_yaml_reads_numbers_as_the_command_line_does(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: 1e-4\nb: 1.5e3\nc: '1e-4'\n")
    assert read_yaml(path, DataError) == {"a": 1e-4, "b": 1500.0, "c": "1e-4"}
    path.write_text("a: 1\nb: 2\na: 3\n")
    with pytest.raises(
        DataError, match=r"a\.yaml: expected YAML, got an error in line 3 .the key 'a' occurs twice.; correct"
    ):
        read_yaml(path, DataError)


def test_errors_of_rezsl_pass_and_others_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^as it was$"), reading(tmp_path, "x", RunDirectoryError):
        raise DataError("as it was")
    message = r"expected a name, got a damaged file \(KeyError: 'n'\); restore"
    with pytest.raises(RunDirectoryError, match=message), reading(tmp_path / "f", "a name", RunDirectoryError):
        raise KeyError("n")


def test_a_missing_package_is_named_with_its_command() -> None:
    message = r"^reading YAML files: expected the package 'nosuchpackage', .*; pip install 'rezsl\[cli\]'$"
    with pytest.raises(MissingPackageError, match=message), needs("cli", "reading YAML files"):
        import nosuchpackage.part  # type: ignore[import-not-found] # noqa: F401, PLC0415
