import gzip
import pickle
from pathlib import Path

import numpy as np
import pytest

from rezsl.errors import ArgumentError, DataError
from rezsl.semantics import load_word_vectors
from tests.semantics.files import WRITERS

BINARY = b"2 2\nfur \0\0\0\0\0\0\x80?\ntail \0\0\0\0\0\0\x80?\n"
ZIPPED = gzip.compress(b"".join(b"word%d %d 1.5\n" % (number, number * 7919 % 1000) for number in range(2000)))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"fur 1 2\ntail 3\n", "a.txt, line 2: expected a word and 2 numbers, got 1 numbers; the file may be cut short"),
        ("a.txt", b"fur 1 2\ntail 3 4 5\n", "a.txt, line 2: expected a word and 2 numbers, got more numbers"),
        ("a.txt", b"fur 1 2\n\ntail 3 x\n", "a.txt, line 3, word 'tail': expected numbers, got another text (could not convert string to float: b'x')"),
        ("a.txt", b"fur 1 nan\n", "a.txt, line 1, word 'fur': expected finite numbers, got nan"),
        ("a.txt", b"fur 1 1e39\n", "a.txt, line 1, word 'fur': expected finite numbers, got 1e+39"),
        ("a.txt", b"3 2\nfur 1 2\ntail 3 4\n", "a.txt: expected 3 words, as its header says, got 2; copy the file again"),
        ("a.txt", b"", "a.txt, line 1: expected a word and its numbers, with a space between, got b''"),
        ("a.txt", b"fur\t1\t2\n", r"a.txt, line 1: expected a word and its numbers, with a space between, got b'fur\t1\t2'"),
        ("a.txt", b"x" * (1 << 20), "a.txt, line 1: over 1048576 bytes long; a binary file needs the ending .bin"),
        ("a.txt", b"the 1 2\n", "a.txt: expected vectors of 'fur', 'tail' or of the words in these names, got none; give another file, or change these names"),
        ("a.txt", b"fur 1 2\n", "a.txt: expected vectors of 'tail' or of the words in these names, got none; give another file, or change these names (load_word_vectors of Python also accepts allow_missing=True)"),
        ("a.txt.gz", ZIPPED[:900], "a.txt.gz: expected a file of word vectors, got a damaged file (EOFError: Compressed file ended before the end-of-stream marker was reached); give another file, or copy it again"),
        ("a.txt.gz", b"fur 1 2\n", "a.txt.gz: cannot be read (BadGzipFile: Not a gzipped file (b'fu')); expected a file of word vectors; give another file, or copy it again"),
        ("a.bin", BINARY[:-6], "a.bin: expected 2 words of 2 numbers, as its header says, got 1; copy the file again, it is cut short or damaged"),
        ("a.bin", BINARY + b"more", "a.bin: goes on after the 2 words of 2 numbers that its header says"),
        ("a.bin", b"fur 1 2\n", "a.bin: expected word2vec's header 'count dimension', got b'fur 1 2'"),
        ("a.bin", BINARY.replace(b"\x80?", b"\x80\x7f", 1), "a.bin, word 1, word 'fur': expected finite numbers, got inf"),
        ("a.csv", b"fur,1,2\ntail,3\n", "a.csv, line 2: expected a word and 2 numbers, got 1 numbers"),
        ("a.csv", b"fur,1,2\ntail,3,\n", "a.csv, line 2, word 'tail': expected numbers, got another text (could not convert string to float: '')"),
        ("a.csv", b"", "a.csv: expected lines of a word and its numbers, got an empty file"),
        ("a.csv", b"\xff\xfe", "a.csv: expected lines of a word and its numbers, got an empty file"),
        ("a.csv", b"fur,1,2\n\x81", "a.csv: expected comma-separated text, got bytes that are no text in UTF-8, UTF-16 or Windows-1252; save it as UTF-8"),
    ],
)  # fmt: skip
def test_one_clear_line_says_where_a_file_is_damaged(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        load_word_vectors(tmp_path / name, ["fur", "tail"])
    assert str(caught.value).startswith(f"{tmp_path}/{message}")
    assert "; " in str(caught.value)


@pytest.mark.parametrize("name", WRITERS)
def test_another_dimension_is_refused(name: str, tmp_path: Path) -> None:
    path = WRITERS[name](tmp_path / name, {"fur": [1.0, 2.0, 3.0]})
    for dimension in (2, 4):
        with pytest.raises(DataError, match=f"expected (vectors of dimension|a word and) {dimension}"):
            load_word_vectors(path, ["fur"], dimension=dimension)


def test_pickles_are_never_read(tmp_path: Path) -> None:
    content = pickle.dumps({"fur": [1.0]})
    for name, advice in {"a.pkl": "numpy.save", "a.PT": "numpy.save", "a.kv": "save_word2vec_format"}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(
            DataError, match=rf"got a pickle.*any program when it is read; where you trust it.*{advice}"
        ):
            load_word_vectors(tmp_path / name, ["fur"])
    np.save(tmp_path / "objects.npy", np.array([{"fur": 1}], dtype=object))
    np.savez(tmp_path / "objects.npz", names=np.array(["fur"], dtype=object), vectors=np.ones((1, 2)))
    for name in ("objects.npy", "objects.npz"):
        with pytest.raises(
            DataError, match=r"expected arrays of numbers and text without pickled objects, got a damaged file"
        ):
            load_word_vectors(tmp_path / name, ["fur"])


def test_arrays_that_do_not_fit(tmp_path: Path) -> None:
    rows = np.ones((3, 2))
    np.save(tmp_path / "a.npy", rows)
    with pytest.raises(
        DataError, match=r"expected numbers of shape \(1, L\), one row per .* got float64 of shape \(3, 2\)"
    ):
        load_word_vectors(tmp_path / "a.npy", ["fur"])
    rows[1, 0] = np.inf
    np.save(tmp_path / "a.npy", rows)
    with pytest.raises(DataError, match=r"a\.npy, row 2, attribute 'tail': expected finite numbers, got inf"):
        load_word_vectors(tmp_path / "a.npy", ["fur", "tail", "horn"])
    np.savez(tmp_path / "a.npz", names=np.array(["fur"]), vectors=rows)
    with pytest.raises(
        DataError, match=r"expected text 'names' of shape \(N,\) .* got <U3 of shape \(1,\) and float64"
    ):
        load_word_vectors(tmp_path / "a.npz", ["fur"])
    np.savez(tmp_path / "a.npz", words=np.array(["fur"]), vectors=rows)
    with pytest.raises(
        DataError, match=r"expected the arrays 'names' and 'vectors', or one array, got vectors, words; write it"
    ):
        load_word_vectors(tmp_path / "a.npz", ["fur"])
    (tmp_path / "a.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:200])
    with pytest.raises(
        DataError, match=r"a\.npz: expected arrays of numbers and text without pickled objects, got a damaged"
    ):
        load_word_vectors(tmp_path / "a.npz", ["fur"])


def test_files_that_are_not_there_and_arguments_that_make_no_sense(tmp_path: Path) -> None:
    for name in ("none.npy", "none.txt", "none.bin.gz"):
        with pytest.raises(DataError, match=rf"{name}: no such file; check the path$"):
            load_word_vectors(tmp_path / name, ["fur"])
    with pytest.raises(DataError, match=r"glove\.840B\.zip: expected a file of .* got an archive; unpack it and give"):
        load_word_vectors("glove.840B.zip", ["fur"])
    with pytest.raises(DataError, match=r"a\.npy\.gz: expected a file of .* got compressed arrays; unpack them"):
        load_word_vectors("a.npy.gz", ["fur"])
    with pytest.raises(ArgumentError, match=r"attributes, dimension, combine: expected .* got 0 names, None and 'sum'"):
        load_word_vectors("a.txt", [])
    with pytest.raises(ArgumentError, match="got 1 names, 0 and 'sum'"):
        load_word_vectors("a.txt", ["fur"], dimension=0)


def test_an_unknown_way_to_combine(unchecked: None) -> None:
    with pytest.raises(ArgumentError, match="got 1 names, None and 'max'"):
        load_word_vectors("a.txt", ["fur"], combine="max")  # type: ignore[arg-type]
