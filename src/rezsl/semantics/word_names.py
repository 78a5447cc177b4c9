"""From the name of an attribute to what it may be called in a file of word vectors."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rezsl.errors import DataError

_RESPELT = {
    # Errors in the attribute list of Animals with Attributes, which everyone uses unchanged.
    "quadrapedal": "quadrupedal",
    "flys": "flies",
    # GloVe has digits, many other files have only their names.
    **dict(zip("0123456789", "zero one two three four five six seven eight nine".split(), strict=True)),  # noqa: SIM905
}
_SEGMENTS = re.compile(r"::|[/(),;|&:\[\]]")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[^\W\d_]+|\d+")
_SHORTEST_HALF = 3


@dataclass(frozen=True)
class Term:
    """A name or a piece of one. It is known by the first of its spellings that is known, or else by its parts.

    Attributes:
        label: how messages call it.
        spellings: what it may be called as a whole, the likeliest first.
        parts: the pieces it falls into: a name into phrases, a phrase into tokens, a token into words.
        halves: of a word, every way to cut it in two: "newworld" is in no file, "new" and "world" are in each.
    """

    label: str
    spellings: tuple[str, ...]
    parts: tuple["Term", ...] = ()
    halves: tuple[tuple[str, str], ...] = ()

    def candidates(self) -> Iterator[str]:
        """Every string that may have to be looked up for this term."""
        yield from self.spellings
        for pair in self.halves:
            yield from pair
        for part in self.parts:
            yield from part.candidates()


def words_of(attribute: str) -> Term:
    """What to look up for an attribute: its name as it is, then its phrases, their tokens, and the words of those.

    ``has_bill_shape::curved_(up_or_down)`` has the phrases "bill shape", "curved" and "up or down"; the "has" that
    every attribute of CUB begins with is left out, for it tells none from another.

    Raises:
        DataError: the name has no letter and no digit.
    """
    phrases = [_phrase(tokens) for tokens in _phrases(attribute)]
    if not phrases:
        raise DataError(f"attribute {attribute!r}: expected a name with a letter or a digit; rename it")
    # Of a single word, "Wings", the lower-case form is tried first: Wings with a capital is a band or a team.
    return Term(attribute, () if attribute.isalpha() else (attribute,), tuple(phrases))


def text_of(attribute: str) -> str:
    """The name as plain words for a text encoder: ``has_wing_color::blue`` reads "wing color blue"."""
    term = words_of(attribute)
    return " ".join(word.label for phrase in term.parts for token in phrase.parts for word in token.parts)


def _phrases(attribute: str) -> list[list[str]]:
    """Tokens of each phrase; a token has a letter or a digit and no blank."""
    name = re.sub(r"['’]s\b", "", attribute)
    phrases = [
        [token for token in re.split(r"[\s_]+", segment) if _WORD.search(token)] for segment in _SEGMENTS.split(name)
    ]
    phrases = [phrase for phrase in phrases if phrase]
    if phrases and phrases[0][0] == "has" and sum(map(len, phrases)) > 1:
        phrases[0] = phrases[0][1:]
    return [phrase for phrase in phrases if phrase]


def _phrase(tokens: list[str]) -> Term:
    parts = tuple(map(_token, tokens))
    # Not in title case: "red wing" would be found as Red_Wing, who make shoes.
    written = [joint.join(tokens) for joint in ("_", "-")] if len(tokens) > 1 else []
    return Term(" ".join(tokens), _unique([form for name in written for form in (name.lower(), name)]), parts)


def _token(token: str) -> Term:
    """A token such as ``man-made``, ``chewTeeth`` or ``digit3``: also joined, for here the joint is the name's own."""
    words = [word for piece in _WORD.findall(token) for word in _CAMEL.split(piece)]
    joined = [joint.join(words) for joint in ("-", "_", "")] if len(words) > 1 else []
    forms = [form for name in joined for form in (name.lower(), name)]
    return Term(token, _unique(forms), tuple(map(_word, words)))


def _word(word: str) -> Term:
    lower = word.lower()
    spellings = [lower, word, word.title(), word.upper()]
    if lower in _RESPELT:
        spellings.append(_RESPELT[lower])
    cuts = range(_SHORTEST_HALF, len(lower) - _SHORTEST_HALF + 1)
    halves = tuple((lower[:cut], lower[cut:]) for cut in cuts) if word.isalpha() else ()
    return Term(lower, _unique(spellings), halves=halves)


def _unique(names: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
