"""The words and spellings under which the name of an attribute is looked up in a file of word vectors."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rezsl.errors import DataError

_RESPELT = {
    # The attribute list of Animals with Attributes has these spelling errors, and is used unchanged.
    "quadrapedal": "quadrupedal",
    "flys": "flies",
    # GloVe has vectors of digits; many other files have only those of their names.
    **dict(zip("0123456789", "zero one two three four five six seven eight nine".split(), strict=True)),  # noqa: SIM905
}
_SEGMENTS = re.compile(r"::|[/(),;|&:\[\]]")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[^\W\d_]+|\d+")
_SHORTEST_HALF = 3


@dataclass(frozen=True)
class Term:
    """A name or a piece of one, which is looked up by its spellings in turn and otherwise by its parts.

    Attributes:
        label: its name in messages.
        spellings: forms of the whole term, the likeliest first.
        parts: the pieces of the term: the phrases of a name, the tokens of a phrase, the words of a token.
        halves: every way to cut a word in two, because files contain "new" and "world" but not "newworld".
    """

    label: str
    spellings: tuple[str, ...]
    parts: tuple["Term", ...] = ()
    halves: tuple[tuple[str, str], ...] = ()

    def candidates(self) -> Iterator[str]:
        """Yield every string that may have to be looked up for this term."""
        yield from self.spellings
        for pair in self.halves:
            yield from pair
        for part in self.parts:
            yield from part.candidates()


def words_of(attribute: str) -> Term:
    """Split the name of an attribute into the terms to look up: the whole name, its phrases, their tokens and words.

    ``has_bill_shape::curved_(up_or_down)`` has the phrases "bill shape", "curved" and "up or down". The "has" at the
    beginning of every attribute of CUB is left out, because it does not distinguish the attributes.

    Raises:
        DataError: the name has no letter and no digit.
    """
    phrases = tuple(map(_phrase, _phrases(attribute)))
    if not phrases:
        raise DataError(f"attribute {attribute!r}: expected a name with a letter or a digit; rename it")
    # A single word such as "Wings" is tried in lower case first, because capitals mark names of bands or teams.
    return Term(attribute, () if attribute.isalpha() else (attribute,), phrases)


def text_of(attribute: str) -> str:
    """Return the name as plain words for a text encoder: "wing color blue" for ``has_wing_color::blue``."""
    term = words_of(attribute)
    return " ".join(word.label for phrase in term.parts for token in phrase.parts for word in token.parts)


def _phrases(attribute: str) -> list[list[str]]:
    """Return the tokens of each phrase; a token has a letter or a digit and no blank."""
    name = re.sub(r"['’]s\b", "", attribute)
    segments = [re.split(r"[\s_]+", segment) for segment in _SEGMENTS.split(name)]
    phrases = list(filter(None, ([token for token in tokens if _WORD.search(token)] for tokens in segments)))
    if phrases and phrases[0][0] == "has" and sum(map(len, phrases)) > 1:
        del phrases[0][0]
    return list(filter(None, phrases))


def _phrase(tokens: list[str]) -> Term:
    parts = tuple(map(_token, tokens))
    # Title case is not tried, because "red wing" would be found as Red_Wing, a maker of shoes.
    written = [joint.join(tokens) for joint in ("_", "-")] if len(tokens) > 1 else []
    return Term(" ".join(tokens), _unique([form for name in written for form in (name.lower(), name)]), parts)


def _token(token: str) -> Term:
    """Make the term of a token such as ``man-made``, ``chewTeeth`` or ``digit3``, which files may contain joined."""
    words = [word for piece in _WORD.findall(token) for word in _CAMEL.split(piece)]
    joined = [joint.join(words) for joint in ("-", "_", "")] if len(words) > 1 else []
    forms = [form for name in joined for form in (name.lower(), name)]
    return Term(token, _unique(forms), tuple(map(_word, words)))


def _word(word: str) -> Term:
    lower = word.lower()
    spellings = [lower, word, word.title(), word.upper(), _RESPELT.get(lower, lower)]
    cuts = range(_SHORTEST_HALF, len(lower) - _SHORTEST_HALF + 1)
    halves = tuple((lower[:cut], lower[cut:]) for cut in cuts) if word.isalpha() else ()
    return Term(lower, _unique(spellings), halves=halves)


def _unique(names: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def resolve(term: Term, positions: Mapping[str, int]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Choose the words of a file that stand for a term.

    The whole term is preferred to its parts. Where a word can be cut in two in several ways ("nest spot", "nests pot"),
    the cut whose rarer half is the most frequent is taken: files of word vectors are sorted by falling frequency, and
    ``positions`` are the numbers of words before each word that was found.

    Returns:
        The words, and the labels of the pieces for which none was found.
    """
    for spelling in term.spellings:
        if spelling in positions:
            return (spelling,), ()
    if term.parts:
        pieces = [resolve(part, positions) for part in term.parts]
        return tuple(word for found, _ in pieces for word in found), tuple(word for _, lost in pieces for word in lost)
    pairs = [pair for pair in term.halves if pair[0] in positions and pair[1] in positions]
    if not pairs:
        return (), (term.label,)
    return min(pairs, key=lambda pair: max(positions[half] for half in pair)), ()
