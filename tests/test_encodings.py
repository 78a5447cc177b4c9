"""Text of every common encoding is read alike by every reader."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rezsl.data._data_files import read_lines
from rezsl.encodings import decoded, encoding_of
from rezsl.errors import DataError
from rezsl.files import delimiter_of, json_text, read_csv, read_json, read_text, read_yaml, write_json
from rezsl.semantics import load_word_vectors

MARKED = ["utf-8-sig", "utf-16", "utf-32"]
GUESSED = ["utf-8", "utf-16-le", "utf-16-be", "cp1252", "latin-1"]
TEXT = "name;größe\ncafé;3\n"

READERS: dict[str, tuple[Callable[[Path], Any], str, Any]] = {
    "text": (lambda path: read_text(path, DataError), TEXT, TEXT),
    "lines": (read_lines, TEXT, TEXT.split()),
    "csv": (
        lambda path: read_csv(path, DataError, delimiter=delimiter_of(path, DataError)),
        TEXT,
        (["name", "größe"], [(2, ["café", "3"])]),
    ),
    "yaml": (lambda path: read_yaml(path, DataError), "größe: café\n", {"größe": "café"}),
    "json": (lambda path: read_json(path, DataError), '{"größe": "café"}', {"größe": "café"}),
    "word vectors": (
        lambda path: load_word_vectors(path, ["fur", "tail"]).vectors.tolist(),
        "fur,1,2\ncafé,3,4\ntail,5,6\n",
        [[1.0, 2.0], [5.0, 6.0]],
    ),
}


@pytest.mark.parametrize("encoding", [*MARKED, *GUESSED])
@pytest.mark.parametrize("reader", READERS)
def test_every_reader_takes_every_encoding(tmp_path: Path, reader: str, encoding: str) -> None:
    read, text, expected = READERS[reader]
    path = tmp_path / "file.csv"
    path.write_bytes(text.encode(encoding))
    assert read(path) == expected


@pytest.mark.parametrize("encoding", [*MARKED, "utf-8"])
@pytest.mark.parametrize("compressed", [False, True])
def test_large_word_vectors_with_a_mark(tmp_path: Path, encoding: str, compressed: bool) -> None:
    lines = [f"word{number} {number} {number / 2}" for number in range(20_000)]
    content = "\n".join(lines).encode(encoding)
    path = tmp_path / ("words.txt.gz" if compressed else "words.txt")
    path.write_bytes(gzip.compress(content, 1) if compressed else content)
    found = load_word_vectors(path, ["word0", "word19999"], dimension=2).vectors.tolist()
    assert found == [[0.0, 0.0], [19_999.0, 9_999.5]]


@given(st.text(st.characters(codec="utf-8", exclude_characters="\ufeff\0")), st.sampled_from([*MARKED, "utf-8"]))
def test_any_text_of_unicode_comes_back(text: str, encoding: str) -> None:
    assert decoded(text.encode(encoding)) == text


@given(st.text(st.characters(codec="cp1252", categories=["L", "P", "Zs", "Nd"])))
def test_any_letters_of_one_byte_come_back_unless_they_are_utf8_too(text: str) -> None:
    content = " ".join(text).encode("cp1252")
    text = " ".join(text)
    if encoding_of(content) == ("cp1252", 0):
        assert decoded(content) == text
    else:
        assert content.decode("utf-8") == decoded(content)


@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xff",
        b"\x81",
        b"PK\x03\x04\xff\xfe\0",
        b"\xff\xfea",
        "分类,颜色".encode("gb18030"),
        "class,цвет".encode("cp1251"),
        "class,χρώμα".encode("cp1253"),
        "class,色".encode("shift-jis") + b"\x81",
        bytes(range(256)),
    ],
)
def test_bytes_that_are_no_text_are_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"table\.csv: expected .*text, got bytes that are no text in UTF-8") as caught:
        read_csv(path, DataError)
    assert "\n" not in str(caught.value)


def test_json_of_names_that_are_no_utf8(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"file": "caf\udce9.png"})
    assert read_json(tmp_path / "a.json", DataError) == {"file": "caf\udce9.png"}
    assert json_text({"a": "猫γ😀\udce9"}, ascii_only=True).isascii()
    assert json.loads(json_text({"a": "猫γ😀\udce9"}, ascii_only=True)) == {"a": "猫γ😀\udce9"}
