import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rezsl.errors import DataError
from rezsl.semantics import text_of, words_of
from rezsl.semantics.word_vectors import resolve

# The most frequent words are first, as in files of word vectors.
KNOWN = """
the of or up new down world bill shape spot parts upper eye color red man made far horizon no number pot area three
digit teeth tools using enclosed semi trees kin tough chew nest sailing boating leg long skin Antarctic USB toughs
nests curved quadrupedal man-made semi_enclosed manmade bill_shape red_wing Red_Wing wing warm diving flies
"""
POSITIONS = {word: position for position, word in enumerate(KNOWN.split())}


@pytest.mark.parametrize(
    ("attribute", "words"),
    [
        ("has_bill_shape::curved_(up_or_down)", "bill_shape curved up or down"),
        ("has_eye_color::red", "eye color red"),
        ("Eye Color: Red", "eye color red"),
        ("sailing/ boating", "sailing boating"),
        ("man-made", "man-made"),
        ("manMade", "man-made"),
        ("semi-enclosed area", "semi_enclosed area"),
        ("no horizon", "no horizon"),
        ("three-digit number", "three digit number"),
        ("digit 3", "digit three"),
        ("digit3", "digit three"),
        ("using tools", "using tools"),
        ("Trees", "trees"),
        ("warm", "warm"),
        ("quadrapedal", "quadrupedal"),
        ("flys", "flies"),
        ("antarctic", "Antarctic"),
        ("usb", "USB"),
        ("newworld", "new world"),
        ("upperparts", "upper parts"),
        ("chewteeth", "chew teeth"),
        ("longleg", "long leg"),
        ("nestspot", "nest spot"),  # not "nests pot", whose words are rarer
        ("toughskin", "tough skin"),  # not "toughs kin"
        ("red wing", "red_wing"),  # not "Red_Wing", a maker of shoes
        ("far", "far"),
    ],
)
def test_names_of_the_field_are_read_as_a_person_reads_them(attribute: str, words: str) -> None:
    assert resolve(words_of(attribute), POSITIONS) == (tuple(words.split()), ())


def test_what_is_not_found_is_named_and_the_rest_is_kept() -> None:
    assert resolve(words_of("has_spatulate_bill::red"), POSITIONS) == (("bill", "red"), ("spatulate",))
    assert resolve(words_of("zzz/ qqqqqqqq"), POSITIONS) == ((), ("zzz", "qqqqqqqq"))


def test_a_name_that_the_file_has_whole_is_not_taken_apart() -> None:
    name = "has_eye_color::red"
    assert resolve(words_of(name), {name: 9, **POSITIONS}) == ((name,), ())
    assert resolve(words_of("Trees"), {"Trees": 0, "trees": 1}) == (("trees",), ())


def test_names_as_text_for_an_encoder() -> None:
    assert text_of("has_bill_shape::curved_(up_or_down)") == "bill shape curved up or down"
    assert text_of("chewTeeth") == "chew teeth"
    assert text_of("the bird's back") == "the bird back"
    assert text_of("has") == "has"


@given(st.text(max_size=30))
def test_any_name_has_candidates_or_a_clear_error(name: str) -> None:
    if not any(map(str.isalnum, re.sub(r"['’]s\b", "", name))):
        with pytest.raises(DataError, match="expected a name with a letter or a digit; rename it"):
            words_of(name)
        return
    term = words_of(name)
    assert all(term.candidates())
    assert resolve(term, {}) == ((), tuple(text_of(name).split(" ")))
