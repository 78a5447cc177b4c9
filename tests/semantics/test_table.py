from pathlib import Path

import pytest
import torch

from rezsl.errors import DataError
from rezsl.semantics import ClassSemantics
from rezsl.semantics.table import equal_rows


def write(path: Path, text: str) -> Path:
    file = path / "semantics.csv"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_table_is_read_by_name(tmp_path: Path) -> None:
    table = ClassSemantics.from_csv(write(tmp_path, '\ufeffclass,fur, wings\ncat,1,0\n"owl, snowy",0,2.5\n\n'))
    assert table.classes == ("cat", "owl, snowy")
    assert table.attributes == ("fur", "wings")
    assert table.values.tolist() == [[1.0, 0.0], [0.0, 2.5]]
    assert table.index(["owl, snowy", "cat"]) == [1, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "class,fur\ncat,1\ncat,2\n",
            "line 3: expected unique names, got 'cat' again, which is in line 2; keep one of them",
        ),
        ("class,fur,fur\ncat,1,2\n", "attributes: expected unique names, got 'fur' more than once"),
        (
            "class,fur\ncat,soft\n",
            "line 2, attribute 'fur': expected a number, a percentage, yes, no, x, or ? for an unknown value, got 'soft'; correct the cell",
        ),
        ("class,fur\ncat,nan\n", "line 2: expected a known value for class 'cat', got none; fill in one or remove it"),
        ("class,fur\ncat,inf\n", "line 2, attribute 'fur': expected a number, a percentage, "),
        (
            "class,fur,wings\ncat,1,0\nowl,0,0\n",
            "expected an attribute other than 0 in every row, got only 0 for 'owl'",
        ),
        ("class,fur,wings\ncat,1\n", "line 2: expected 3 cells, got 2"),
        (
            '\nclass,"fur\nor hair",wings\n\n"cat\n(tame)",1,0\nowl,0,o\n',
            "line 7, attribute 'wings': expected a number",
        ),
        ('class,fur,wings\ncat,1,0\n"owl,0,1\nbat,1,1\n', "line 3: expected 3 cells, got 1"),
        ("name,fur\ncat,1\n", "expected the header 'class,<attribute>,…', got 'name,fur'"),
        ("class,fur\n", "expected a row per class below the header, got none"),
        ("class,fur\n,1\n", "classes: expected names, got an empty one; name it"),
    ],
)
def test_a_bad_table_is_named_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=r"semantics\.csv") as caught:
        ClassSemantics.from_csv(write(tmp_path, text))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_or_binary_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: no such file; check the path"):
        ClassSemantics.from_csv(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\x00\x81")
    with pytest.raises(DataError, match=r"binary\.csv: expected comma-separated text, got bytes that are no text in"):
        ClassSemantics.from_csv(tmp_path / "binary.csv")


def test_columns_are_joined_by_attribute_name(semantics: ClassSemantics) -> None:
    shuffled = ClassSemantics(("x",), tuple(reversed(semantics.attributes)), torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    joined = semantics.with_classes_of(shuffled)
    assert joined.attributes == semantics.attributes
    assert joined.values.tolist() == [[4.0, 3.0, 2.0, 1.0]]


def test_other_attributes_are_refused_by_name(semantics: ClassSemantics) -> None:
    other = ClassSemantics(("x",), ("wings", "fur", "tail", "hooves"), torch.ones(1, 4))
    with pytest.raises(DataError, match="missing: 'stripes'; unknown: 'hooves'"):
        semantics.with_classes_of(other)


def test_unknown_classes_are_listed(semantics: ClassSemantics) -> None:
    with pytest.raises(DataError, match="expected rows for 'z', 'y', got none; add a row for each"):
        semantics.index(["a", "z", "y", "z"])


def test_without_word_vectors_queries_are_one_hot(semantics: ClassSemantics) -> None:
    torch.testing.assert_close(semantics.query_vectors, torch.eye(4))


@pytest.mark.parametrize("vectors", [torch.ones(3, 2), torch.full((4, 2), torch.nan)])
def test_word_vectors_must_fit(semantics: ClassSemantics, vectors: torch.Tensor, unchecked: None) -> None:
    with pytest.raises(DataError, match="word_vectors: expected 4 finite rows"):
        ClassSemantics(semantics.classes, semantics.attributes, semantics.values, vectors)


@pytest.mark.parametrize("kind", ["binary", "near", "distinct", "alike"])
def test_equal_rows_are_those_of_all_pairs(kind: str, generator: torch.Generator) -> None:
    values = {
        "binary": torch.randint(2, (60, 4), generator=generator).float() + torch.tensor([1.0, 0, 0, 0]),
        "near": 1 + 1e-3 * torch.rand(60, 3, generator=generator),
        "distinct": torch.rand(60, 5, generator=generator),
        "alike": torch.ones(60, 3) * torch.rand(60, 1, generator=generator),
    }[kind]
    unit = values.double() / values.double().norm(dim=1, keepdim=True)
    groups: dict[int, list[int]] = {}
    for row in range(60):
        first = next(other for other in range(60) if float(unit[row] @ unit[other]) >= 1 - 1e-6)
        groups.setdefault(first, []).append(row)
    assert equal_rows(values) == [rows for rows in groups.values() if len(rows) > 1]
    assert (kind == "distinct") == (equal_rows(values) == [])
    assert equal_rows(values[:0]) == []
