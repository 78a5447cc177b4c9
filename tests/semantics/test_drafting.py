"""Drafts from vectors of known words, whose values can be computed by hand, and from a tiny text encoder."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertModel

from rezsl.errors import ArgumentError, DataError
from rezsl.semantics import ClassSemantics, describe_classes, draft_semantics, encode_texts, text_similarities
from rezsl.semantics.drafting import ATTRIBUTE_PROMPTS, CLASS_PROMPTS, Centering
from tests.oracles import ridge as oracle
from tests.semantics.files import write_glove
from tests.semantics.test_text_encoder import bert  # noqa: F401 - a fixture

WORDS = {
    "zebra": (1.0, 2.0, 0.0, 1.0),
    "owl": (0.0, 1.0, 3.0, 1.0),
    "carp": (2.0, 0.0, 1.0, 1.0),
    "striped": (2.0, 3.0, 0.0, 5.0),
    "feathers": (0.0, 1.0, 2.0, 5.0),
}
CLASSES, ATTRIBUTES = ("001.zebra", "owl", "carp"), ("striped", "has_feathers")


@pytest.fixture
def words(tmp_path: Path) -> Path:
    return write_glove(tmp_path / "words.txt", WORDS)


def cosine(left: list[float], right: list[float]) -> float:
    product = sum(a * b for a, b in zip(left, right, strict=True))
    return product / math.sqrt(sum(a * a for a in left) * sum(b * b for b in right))


def units(names: list[str]) -> list[list[float]]:
    return [[value / math.sqrt(sum(v * v for v in WORDS[name])) for value in WORDS[name]] for name in names]


def centered(rows: list[list[float]]) -> list[list[float]]:
    means = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    return [[value - mean for value, mean in zip(row, means, strict=True)] for row in rows]


def test_similarities_are_cosines_of_vectors_less_their_mean(words: Path) -> None:
    rows, columns = units(["zebra", "owl", "carp"]), units(["striped", "feathers"])
    plain = [[cosine(row, column) for column in columns] for row in rows]
    expectations: tuple[tuple[Centering, Any], ...] = (
        ("none", plain),
        ("vectors", [[cosine(row, column) for column in centered(columns)] for row in centered(rows)]),
        ("scores", [*zip(*centered([*map(list, zip(*centered(plain), strict=True))]), strict=True)]),
    )
    for centering, expected in expectations:
        found = text_similarities(CLASSES, ATTRIBUTES, word_vectors=words, centering=centering)
        np.testing.assert_allclose(found, np.array(expected), atol=1e-6)


def test_values_are_shares_of_a_normal_distribution(words: Path) -> None:
    table = draft_semantics(CLASSES, ATTRIBUTES, word_vectors=words)
    scores = text_similarities(CLASSES, ATTRIBUTES, word_vectors=words)
    spread = math.sqrt(float(scores.square().mean()))
    for row, line in zip(table.values.tolist(), scores.tolist(), strict=True):
        for value, score in zip(row, line, strict=True):
            assert value == pytest.approx((1 + math.erf(score / spread / math.sqrt(2))) / 2, abs=0.0051)
    assert table.values[0, 0] > table.values[1, 0]
    assert table.values[1, 1] == table.values[:, 1].max()
    assert table.drafted == "word vectors words.txt"
    assert table.notes[0].startswith("the table is a draft by word vectors words.txt: nobody has confirmed")


def test_new_rows_follow_from_known_ones(words: Path) -> None:
    known = ClassSemantics(("zebra", "owl", "carp"), ("stripes", "wings"), torch.tensor([[1.0, 0.2], [0, 1], [0.1, 0]]))
    table = draft_semantics(["owl", "feathers", "striped"], word_vectors=words, known=known)
    assert table.classes == (*known.classes, "feathers", "striped")
    assert table.values[:3].equal(known.values)
    features = np.array(units(["zebra", "owl", "carp"]))
    others = np.array(units(["feathers", "striped"]))
    size = np.square(features - features.mean(axis=0)).sum(axis=1).mean()
    candidates = [
        oracle.predict(features, known.values.double().numpy(), penalty * size, others)
        for penalty in (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
    ]
    low, high = known.values.double().numpy().min(axis=0), known.values.double().numpy().max(axis=0)
    assert any(np.allclose(table.values[3:], one.clip(low, high), atol=0.0051) for one in candidates)
    assert table.drafted == "word vectors words.txt from the rows of 3 classes; drafted rows: feathers, striped"
    assert "each of the 3 known rows was predicted from the others" in table.notes[-1]


def test_known_rows_that_follow_from_names_are_found(generator: torch.Generator, tmp_path: Path) -> None:
    names = [f"{one}{other}" for one in "abcdefgh" for other in "klmnopqr"]
    vectors = torch.randn(64, 6, generator=generator, dtype=torch.float64)
    source = write_glove(tmp_path / "words.txt", dict(zip(names, vectors.tolist(), strict=True)))
    values = torch.sigmoid(torch.nn.functional.normalize(vectors) @ torch.randn(6, 9, generator=generator).double())
    known = ClassSemantics(tuple(names[:50]), tuple(f"a{number}" for number in range(9)), values[:50])
    table = draft_semantics(names[50:], word_vectors=source, known=known)
    assert float((table.values[50:] - values[50:]).square().mean()) < 0.1 * float(values.var(dim=0).mean())
    assert float(table.notes[-1].partition("attributes' means, is ")[2][:4]) > 0.9


def test_a_text_encoder_reads_several_texts_of_each_name(bert: tuple[Path, BertModel]) -> None:  # noqa: F811
    folder, _ = bert
    table = text_similarities(["wing", "fur"], ["blue", "tail"], str(folder), kind="tail", centering="none")
    means = []
    for name, forms in (("wing", CLASS_PROMPTS), ("blue", ATTRIBUTE_PROMPTS)):
        rows = encode_texts(folder, [form.format(name=name, kind="tail") for form in forms]).double()
        means.append(torch.stack([row / row.norm() for row in rows]).mean(dim=0))
    assert float(table[0, 0]) == pytest.approx(cosine(*(mean.tolist() for mean in means)), abs=1e-5)


def test_descriptions_become_unit_vectors(bert: tuple[Path, BertModel]) -> None:  # noqa: F811
    folder, _ = bert
    table = describe_classes({"jay": "a blue\n wing", "cat": "fur, a tail"}, str(folder))
    vectors = encode_texts(folder, ["a blue wing", "fur, a tail"])
    torch.testing.assert_close(table.values, vectors / vectors.norm(dim=1, keepdim=True))
    assert (table.classes, table.attributes[-1], table.drafted) == (("jay", "cat"), "text 8", "")
    assert "by the text encoder" in table.notes[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "text_encoder, word_vectors: expected one of the two, got none"),
        ({"classes": ["owl"], "word_vectors": "words.txt"}, "expected at least two of each, got 1 and 2"),
        ({"known": ("owl", "carp"), "word_vectors": "words.txt"}, "attributes: expected those of the known rows"),
        (
            {"known": ("owl", "carp"), "attributes": (), "word_vectors": "words.txt"},
            "known: expected rows of at least 3 classes, got 2",
        ),
        (
            {"known": ("zebra", "owl", "carp"), "attributes": (), "word_vectors": "words.txt", "classes": ["owl"]},
            "classes: expected a class without a known row, got none",
        ),
    ],
)
def test_wrong_arguments_are_named(
    arguments: dict[str, object], message: str, words: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(words.parent)
    given: dict[str, object] = {"classes": ("zebra", "owl", "carp"), "attributes": ATTRIBUTES} | arguments
    if names := given.get("known"):
        assert isinstance(names, tuple)
        given["known"] = ClassSemantics(names, ("wings",), torch.ones(len(names), 1))
    with pytest.raises(ArgumentError, match=message):
        draft_semantics(**given)  # type: ignore[arg-type]


def test_texts_of_too_few_classes_or_none_are_refused() -> None:
    with pytest.raises(ArgumentError, match="at least two classes, got 1"):
        describe_classes({"jay": "blue"}, "encoder")
    with pytest.raises(ArgumentError, match="got none of 'cat'; write one"):
        describe_classes({"jay": "blue", "cat": " "}, "encoder")


def test_a_drafted_table_keeps_its_mark_until_it_is_deleted(words: Path, tmp_path: Path) -> None:
    table = draft_semantics(CLASSES, ATTRIBUTES, word_vectors=words)
    path = tmp_path / "semantics.csv"
    table.to_csv(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# drafted by word vectors words.txt: review every value and then delete this line"
    again = ClassSemantics.from_csv(path)
    assert again.values.equal(table.values)
    assert (again.drafted, len(again.notes)) == (table.drafted, 1)
    assert again.notes[0].startswith("semantics.csv is a draft by word vectors words.txt: nobody has confirmed")
    # A spreadsheet with semicolons saves the mark as a cell beside empty ones, or in quotes.
    for first in (lines[0] + ";;", f'"{lines[0]}";;'):
        path.write_text("\n".join([first, *(line.replace(",", ";") for line in lines[1:])]), encoding="utf-8")
        assert ClassSemantics.from_csv(path).drafted == table.drafted
    path.write_text("\n".join(lines[1:]), encoding="utf-8")
    reviewed = ClassSemantics.from_csv(path)
    assert (reviewed.drafted, reviewed.notes) == ("", ())
    assert reviewed.values.equal(table.values)


@pytest.mark.parametrize("value", [1 / 3, 1e-8, -0.25, 3.4e38, 7.0])
def test_written_numbers_are_the_same_when_read(value: float, tmp_path: Path) -> None:
    table = ClassSemantics(("=a", "b, c"), ("x",), torch.tensor([[value], [1.0]]))
    table.to_csv(tmp_path / "t.csv")
    again = ClassSemantics.from_csv(tmp_path / "t.csv")
    assert again.values.equal(table.values)
    assert again.classes == table.classes


def test_other_comments_above_the_header_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("# a page, of mine\n\n# Drafted: by hand\nclass,x\na,1\n", encoding="utf-8")
    assert ClassSemantics.from_csv(path).drafted == "by hand"
    path.write_text("class,x\n# a,1\n", encoding="utf-8")
    assert ClassSemantics.from_csv(path).classes == ("# a",)


def test_a_word_without_a_vector_is_named(words: Path) -> None:
    with pytest.raises(DataError, match="expected vectors of 'lynx' or of the words in these names"):
        draft_semantics(["zebra", "lynx"], ATTRIBUTES, word_vectors=words)
