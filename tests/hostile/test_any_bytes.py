"""Every reader meets arbitrary bytes and mutated valid files: an error of rezsl or the right content, nothing else."""

import csv
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rezsl.data import read_feature_rows
from rezsl.data._data_files import read_matlab
from rezsl.data._images import read_image
from rezsl.errors import DataError, RezslError
from rezsl.files import delimiter_of, read_csv, read_json, read_npz, read_tensors, read_yaml, tensor_bytes
from rezsl.semantics import ClassSemantics, load_word_vectors
from tests.hostile.world import TABLE, WORDS, mat, npy, npz, photo

LINES = "".join(f"{word} {number}.5 1 2\n" for number, word in enumerate(WORDS)).encode()
BINARY = b"4 3\n" + b"".join(word.encode() + b" " + np.ones(3, "<f4").tobytes() + b"\n" for word in WORDS)
Reader = Callable[[Path], Any]

READERS: dict[str, tuple[Reader, str, bytes]] = {
    "csv": (lambda path: (delimiter_of(path, DataError), read_csv(path, DataError)), "a.csv", TABLE.encode()),
    "table": (ClassSemantics.from_csv, "a.csv", TABLE.encode()),
    "json": (lambda path: read_json(path, DataError), "a.json", b'{"a": [1, 2.5, null, {"b": "c"}]}'),
    "yaml": (lambda path: read_yaml(path, DataError), "a.yaml", b"a: &x [1, 2.5, null]\nb: {c: *x}\n"),
    "npy": (lambda path: read_npz(path, DataError), "a.npy", npy(np.arange(6.0).reshape(2, 3))),
    "npz": (lambda path: read_npz(path, DataError), "a.npz", npz(a=np.ones(3), b=np.array(["x", "y"]))),
    "features": (read_feature_rows, "a.npy", npy(np.ones((2, 3), np.float32))),
    "matlab": (read_matlab, "a.mat", mat(features=np.ones((2, 3)), names=np.array(["a", "b"], dtype=object))),
    "tensors": (lambda path: read_tensors(path, DataError), "a.safetensors", tensor_bytes({"a": torch.ones(2, 3)})),
    "photo": (lambda path: read_image(path, 8), "a.png", photo()),
    "jpeg": (lambda path: read_image(path, 8), "a.jpg", photo(kind="JPEG")),
    "words": (lambda path: load_word_vectors(path, WORDS), "a.txt", LINES),
    "word csv": (lambda path: load_word_vectors(path, WORDS), "a.csv", LINES.replace(b" ", b",")),
    "word2vec": (lambda path: load_word_vectors(path, WORDS), "a.bin", BINARY),
}


def attempt(read: Reader, name: str, content: bytes) -> Any:
    """Read a file of this content; an error of rezsl is one line that names the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            return read(path)
        except RezslError as error:
            message = str(error)
        assert "\n" not in message
        assert str(path) in message
        return None


@pytest.mark.parametrize("kind", READERS)
@given(content=st.binary(max_size=300))
def test_arbitrary_bytes(kind: str, content: bytes) -> None:
    read, name, _ = READERS[kind]
    attempt(read, name, content)


@pytest.mark.parametrize("kind", READERS)
@given(data=st.data())
def test_valid_files_with_changed_bytes(kind: str, data: st.DataObject) -> None:
    read, name, valid = READERS[kind]
    content = bytearray(valid)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        how = data.draw(st.sampled_from(("set", "cut", "double", "insert")))
        if how == "set":
            content[place] = data.draw(st.integers(0, 255))
        elif how == "insert":
            content[place:place] = data.draw(st.binary(min_size=1, max_size=4))
        elif how == "double":
            content[place:place] = content[place : place + 40]
        elif place:
            del content[place:]
    attempt(read, name, bytes(content))


@pytest.mark.parametrize("kind", READERS)
def test_the_valid_files_are_read(kind: str) -> None:
    read, name, valid = READERS[kind]
    assert attempt(read, name, valid) is not None


SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=8)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=8)  # fmt: skip


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=4))
def test_json_and_yaml_are_read_back(content: dict[str, Any]) -> None:
    assert attempt(lambda path: read_json(path, DataError), "a.json", json.dumps(content).encode()) == content
    text = yaml.safe_dump(content, allow_unicode=False)
    found = attempt(lambda path: read_yaml(path, DataError), "a.yaml", text.encode())
    assert found is None or found == yaml.safe_load(text) or found == content


NAMES = st.text(st.characters(categories=("L", "Nd")), min_size=1, max_size=8)


@given(st.lists(st.lists(NAMES, min_size=2, max_size=2), min_size=1, max_size=5))
def test_tables_of_text_are_read_back(rows: list[list[str]]) -> None:
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([["a", "b"], *rows])
    header, found = attempt(lambda path: read_csv(path, DataError), "a.csv", stream.getvalue().encode())
    assert header == ["a", "b"]
    assert [cells for _, cells in found] == rows


@given(st.lists(st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3), min_size=1, max_size=4))
def test_numbers_are_read_back(rows: list[list[float]]) -> None:
    array = np.array(rows, np.float32)
    found = attempt(lambda path: read_npz(path, DataError)["arr_0"], "a.npy", npy(array))
    assert np.array_equal(found, array)
    assert np.array_equal(attempt(read_feature_rows, "a.npy", npy(array)).numpy(), array)
    assert np.array_equal(attempt(read_feature_rows, "a.mat", mat(features=array.T)).numpy(), array)
    tensor = attempt(
        lambda path: read_tensors(path, DataError)["x"], "a.st", tensor_bytes({"x": torch.from_numpy(array)})
    )
    assert np.array_equal(tensor.numpy(), array)
