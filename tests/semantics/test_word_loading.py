import random
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rezsl.errors import DataError
from rezsl.semantics import ClassSemantics, load_word_vectors, plain_name
from tests.semantics.files import WRITERS, write_csv, write_glove, write_word2vec_text

TABLE = {"the": [9.0, 9.0], "new": [1.0, 2.0], "bill": [0.5, -1.0], "world": [3.0, 5.0], "fur": [0.25, 0.0]}
# Blanks around a name do not belong to it, so that only those inside are kept.
words = st.text(st.sampled_from("abcçδж木_-.'\u00a0\u2028\u0085"), min_size=1, max_size=8).filter(
    lambda word: plain_name(word) == word
)
floats = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def tables(draw: st.DrawFn) -> dict[str, list[float]]:
    length = draw(st.integers(2, 6))
    row = st.lists(floats, min_size=length, max_size=length)
    return draw(st.dictionaries(words.filter(lambda word: any(map(str.isalpha, word))), row, min_size=1, max_size=8))


@pytest.mark.parametrize("name", WRITERS)
@given(table=tables())
def test_every_format_reads_back_the_vectors_that_were_written(name: str, table: dict[str, list[float]]) -> None:
    # Each name is one word of the file in its own spelling; it is lower case, so that no other spelling is tried first.
    with tempfile.TemporaryDirectory() as folder:
        read = load_word_vectors(WRITERS[name](Path(folder) / name, table), [*table])
    torch.testing.assert_close(read.vectors, torch.tensor([*table.values()]), rtol=0, atol=0)
    assert read.resolved == tuple((word,) for word in table)
    assert read.missing == {}


@pytest.mark.parametrize("name", WRITERS)
def test_vectors_of_a_name_are_summed_or_averaged(name: str, tmp_path: Path) -> None:
    path = WRITERS[name](tmp_path / name, TABLE)
    attributes = ["has_bill::fur", "newworld", "Bill"]
    read = load_word_vectors(path, attributes, dimension=2)
    assert read.vectors.tolist() == [[0.75, -1.0], [4.0, 7.0], [0.5, -1.0]]
    assert read.resolved == (("bill", "fur"), ("new", "world"), ("bill",))
    assert load_word_vectors(path, attributes, combine="mean").vectors[1].tolist() == [2.0, 3.5]
    assert read.report() == "word vectors of length 2 for 3 attributes; words found in two halves: 'new + world'"


def test_attributes_of_which_nothing_is_known_get_the_mean_if_that_is_allowed(tmp_path: Path) -> None:
    path = write_glove(tmp_path / "glove.txt", TABLE)
    read = load_word_vectors(path, ["fur", "qqq", "new or"], allow_missing=True)
    assert read.vectors.tolist() == [[0.25, 0.0], [0.625, 1.0], [1.0, 2.0]]
    assert read.missing == {"qqq": ("qqq",), "new or": ("or",)}
    assert read.report() == (
        "word vectors of length 2 for 3 attributes; no word of 'qqq' was found, the mean of the other vectors is used; "
        "words that were not found and are left out: 'or'"
    )


def test_words_of_glove_may_have_spaces(tmp_path: Path) -> None:
    table = {"the": [1.0, 2.0], ". . .": [3.0, 4.0], "at home": [5.0, 6.0], "\u00a0": [7.0, 8.0], "home": [9.0, 9.0]}
    read = load_word_vectors(write_glove(tmp_path / "glove.txt", table), ["at home", "home", "the"])
    assert read.vectors.tolist() == [[5.0, 6.0], [9.0, 9.0], [1.0, 2.0]]


def test_the_first_of_two_equal_words_counts(tmp_path: Path) -> None:
    path = tmp_path / "glove.txt"
    path.write_text("fur 1 2\nfur 3 4\n")
    assert load_word_vectors(path, ["fur"]).vectors.tolist() == [[1.0, 2.0]]


def test_arrays_with_names_are_joined_by_name_and_without_by_position(tmp_path: Path) -> None:
    rows = np.arange(6, dtype=np.float64).reshape(3, 2)
    names = ["has_bill::fur", "new", "a b"]
    np.savez(tmp_path / "named.npz", names=np.array(names), vectors=rows)
    np.savez(tmp_path / "plain.npz", rows)
    np.save(tmp_path / "plain.npy", np.asfortranarray(rows))
    assert load_word_vectors(tmp_path / "named.npz", names[::-1]).vectors.tolist() == rows[::-1].tolist()
    for name in ("plain.npz", "plain.npy"):
        read = load_word_vectors(tmp_path / name, names)
        assert read.vectors.tolist() == rows.tolist()
        assert read.vectors.dtype == torch.float32
        assert read.report() == "word vectors of length 2 for 3 attributes"


def test_a_spreadsheet_of_attributes_in_any_order_with_or_without_titles(tmp_path: Path) -> None:
    table = {"using tools": [1.0, 2.0], "has_eye, red": [3.0, 4.0]}
    assert load_word_vectors(write_csv(tmp_path / "a.csv", table), [*table][::-1]).vectors[0].tolist() == [3.0, 4.0]
    (tmp_path / "b.csv").write_bytes(b"\xef\xbb\xbffur,1,2\r\n\r\nword,3,4\r\n")
    assert load_word_vectors(tmp_path / "b.csv", ["word", "fur"]).vectors.tolist() == [[3.0, 4.0], [1.0, 2.0]]


@pytest.mark.parametrize("name", ["words.txt", "words.bin"])
def test_only_the_needed_words_of_a_big_file_are_ever_in_memory(name: str, tmp_path: Path) -> None:
    path, count, dimension = tmp_path / name, 200_000, 50
    row = np.linspace(-1, 1, dimension, dtype="<f4")
    numbers = row.tobytes() if name.endswith("bin") else b" ".join(b"%.3f" % number for number in row)
    line = b" %b\n" % numbers
    with path.open("wb") as stream:
        stream.write(b"%d %d\n" % (count, dimension))
        for start in range(0, count, 10_000):
            stream.write(b"".join(b"word%d%b" % (number, line) for number in range(start, start + 9_997)))
            stream.write(b"".join(word + b"%d" % start * (start > 0) + line for word in (b"fur", b"tail", b"horn")))
    tracemalloc.start()
    read = load_word_vectors(path, ["fur", "tail", "horn"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    torch.testing.assert_close(read.vectors, torch.from_numpy(row).expand(3, -1), rtol=0, atol=6e-4)
    assert peak < 2 << 20
    assert path.stat().st_size > 30 << 20


@pytest.mark.parametrize(("data_set", "count"), [("AWA2", 85), ("CUB", 312), ("SUN", 102)])
def test_the_fields_own_files_belong_to_tables_of_their_size(real_data: Path, data_set: str, count: int) -> None:
    names = tuple((real_data / "awa1-dev" / "attributes.txt").read_text().split("\n")[:85])
    attributes = names if count == 85 else tuple(f"attribute {number}" for number in range(count))
    read = load_word_vectors(real_data / "word-vectors" / f"{data_set}_word2vec.npy", attributes, dimension=300)
    table = ClassSemantics(("a", "b"), attributes, torch.eye(2, count)).with_word_vectors(read.vectors)
    assert table.query_vectors.shape == (count, 300)
    assert table.values.equal(torch.eye(2, count))


def test_a_table_takes_vectors_for_all_of_its_attributes_or_none(semantics: ClassSemantics, unchecked: None) -> None:
    assert semantics.with_word_vectors(torch.ones(4, 2, dtype=torch.float64)).query_vectors.dtype == torch.float32
    with pytest.raises(DataError, match=r"word_vectors: expected 4 finite rows, one per attribute, got shape \(3, 2\)"):
        semantics.with_word_vectors(torch.ones(3, 2))


def test_every_attribute_of_awa_is_found_among_ordinary_words(real_data: Path, tmp_path: Path) -> None:
    """All names but the compounds are words, and the compounds are cut where their authors joined them."""
    attributes = (real_data / "awa1-dev" / "attributes.txt").read_text().split()
    compounds = (
        "tough skin,long leg,long neck,chew teeth,meat teeth,buck teeth,strain teeth,new world,old world,nest spot"
    )
    joined = {cut.replace(" ", ""): tuple(cut.split()) for cut in compounds.split(",")}
    vocabulary = {word: None for name in attributes for word in joined.get(name, (name,))}
    vocabulary = {"quadrupedal" if word == "quadrapedal" else word: None for word in vocabulary}
    generator = random.Random(0)
    table = {word: [generator.gauss(0, 1) for _ in range(3)] for word in vocabulary}
    read = load_word_vectors(write_word2vec_text(tmp_path / "words.txt", table), attributes)
    assert read.missing == {}
    assert {name: cut for name, cut in zip(attributes, read.resolved, strict=True) if len(cut) == 2} == joined
