"""Names are joined in one form, whichever file, keyboard or file system they come from."""

import unicodedata
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch

from rezsl.errors import DataError
from rezsl.semantics import ClassSemantics, examine, load_word_vectors, plain_name, with_places, words_of
from rezsl.semantics._near_names import near_name
from tests.semantics.files import WRITERS

NAMES = ("café", "Ångström", "한국", "naïve ツグミ", "ё")
FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")


def composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def apart(name: str) -> str:
    return unicodedata.normalize("NFD", name)


def table(names: tuple[str, ...] = NAMES, attributes: tuple[str, ...] = ("é", "round")) -> ClassSemantics:
    return ClassSemantics(names, attributes, torch.rand(len(names), len(attributes)) + 0.1)


@pytest.mark.parametrize("name", NAMES)
def test_one_form_of_a_name(name: str) -> None:
    for given in (composed(name), apart(name), f" {apart(name)}\t", f"\ufeff{composed(name)}\u00a0", f"{name}\u200b "):
        assert plain_name(given) == composed(name)
    assert plain_name(plain_name(name)) == plain_name(name)


def test_blanks_inside_and_other_letters_stay() -> None:
    assert plain_name("a  b") == "a  b"
    assert plain_name("A") != plain_name("a")
    assert plain_name("ﬁsh") == "ﬁsh"  # a ligature is another spelling, which a near name finds
    assert near_name("ﬁsh", ["fish"]) == "fish"


@pytest.mark.parametrize("form", FORMS)
def test_tables_are_joined_across_forms(form: Literal["NFC", "NFD"]) -> None:
    written = table(tuple(unicodedata.normalize(form, name) for name in NAMES), (apart("é"), "round"))
    assert written.classes == tuple(map(composed, NAMES))
    for asked in (composed, apart):
        assert written.index(map(asked, NAMES)) == [0, 1, 2, 3, 4]
        assert written.only([asked("café")]).classes == (composed("café"),)
    other = ClassSemantics(("new",), ("round ", composed("é")), torch.tensor([[1.0, 2.0]]))
    assert written.with_classes_of(other).values.tolist() == [[2, 1]]
    kinds = {finding.kind for finding in examine(written, [apart("café"), apart("ё")])}
    assert kinds == {finding.kind for finding in examine(written, [composed("café"), composed("ё")])}


def test_two_forms_of_one_name_are_one_name_twice() -> None:
    with pytest.raises(DataError, match="classes: expected unique names, got 'café' more than once"):
        table((composed("café"), apart("café")))


def test_files_of_tables_and_places(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        f"class,{apart('é')} ,round\n{apart('café')},1,2\n \u00a0owl ,3,4\n", encoding="utf-8"
    )
    read = ClassSemantics.from_csv(tmp_path / "a.csv")
    assert (read.classes, read.attributes) == ((composed("café"), "owl"), (composed("é"), "round"))
    (tmp_path / "b.csv").write_text(f"class,a\n{apart('café')},1\n{composed('café')},2\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"b\.csv, line 3: expected unique names, got 'café' again, which is in line 2"):
        ClassSemantics.from_csv(tmp_path / "b.csv")
    (tmp_path / "places.csv").write_text(f"attribute,y,x,spread\n{composed('é')},0.5,0.5,0.1\n", encoding="utf-8")
    places = with_places(read, tmp_path / "places.csv").places
    assert places is not None
    assert places[:, 2].tolist() == [pytest.approx(0.1), float("inf")]
    (tmp_path / "places.csv").write_text("attribute,y,x,spread\nroundd,0.5,0.5,0.1\n")
    with pytest.raises(DataError, match=r"got 'roundd'; correct the name; did you mean 'round'\?"):
        with_places(read, tmp_path / "places.csv")


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("file_form", FORMS)
def test_word_vectors_are_found_across_forms(tmp_path: Path, kind: str, file_form: Any) -> None:
    words = {unicodedata.normalize(file_form, name): [float(row), 1.0] for row, name in enumerate(("é", "größe"))}
    path = tmp_path / kind
    WRITERS[kind](path, words)
    for form in FORMS:
        names = [unicodedata.normalize(form, name) for name in ("é", "größe")]
        assert load_word_vectors(path, names).vectors.tolist() == [[0, 1], [1, 1]]


def test_words_are_not_cut_at_an_accent() -> None:
    assert [part.label for part in words_of(apart("café noir")).parts[0].parts] == [composed("café"), "noir"]


def test_named_rows_of_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", names=np.array([apart("é"), "round"]), vectors=np.eye(2))
    assert load_word_vectors(tmp_path / "a.npz", ["round", composed("é")]).vectors.tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize(("name", "known", "meant"), [("class 20", ["class 2"], None), ("clas 2", ["class 2"], "class 2"), ("IMG_13", ["IMG_12"], None)])  # fmt: skip
def test_other_numbers_are_other_names(name: str, known: list[str], meant: str | None) -> None:
    assert near_name(name, known) == meant
