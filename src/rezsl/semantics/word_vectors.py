"""A vector for every attribute, found by the words of its name in the files that word2vec, GloVe and others write."""

import gzip
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.errors import ArgumentError, DataError, name_some
from rezsl.files import check_file, local_path, reading
from rezsl.semantics._near_names import plain_name
from rezsl.semantics._word_files import FoundWords, check_rows, find_rows, read_arrays, read_binary, read_csv, read_text

_REFUSED = {
    **dict.fromkeys(
        (".pkl", ".pickle", ".pt", ".pth"),
        "a pickle, which can run any program when it is read; where you trust it, write its rows with "
        "numpy.save('vectors.npy', vectors)",
    ),
    **dict.fromkeys(
        (".model", ".kv"),
        "a pickle of gensim, which can run any program when it is read; where you trust it, write it with "
        "vectors.save_word2vec_format('vectors.bin', binary=True)",
    ),
    ".zip": "an archive; unpack it and give the text file in it",
}


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


@dataclass(frozen=True, eq=False)
class WordVectors:
    """Vectors of attribute names, for :meth:`rezsl.ClassSemantics.with_word_vectors`.

    Attributes:
        attributes: S names.
        vectors: one per attribute, ``[S, L]``, float32.
        resolved: the words of the file whose vectors were combined for each attribute; empty for an attribute that
            has the mean of the other vectors.
        missing: by attribute, its words that were not found; attributes without such words are left out.
    """

    attributes: tuple[str, ...]
    vectors: Float[Tensor, "S L"]
    resolved: tuple[tuple[str, ...], ...]
    missing: dict[str, tuple[str, ...]]

    def report(self) -> str:
        """Return one sentence about the words that were not found and those that were found only in two halves."""
        length = self.vectors.shape[1]
        parts = [f"word vectors of length {length} for {len(self.attributes)} attributes"]
        named = dict(zip(self.attributes, self.resolved, strict=True))
        without = [name for name, words in named.items() if not words]
        if without:
            parts.append(f"no word of {name_some(without)} was found, the mean of the other vectors is used")
        lost = dict.fromkeys(word for name, words in self.missing.items() if named[name] for word in words)
        if lost:
            parts.append(f"words that were not found and are left out: {name_some([*lost])}")
        pairs = [(name.lower(), *pair) for name, words in named.items() for pair in pairwise(words)]
        cut = dict.fromkeys(f"{one} + {other}" for name, one, other in pairs if (one + other).lower() in name)
        if cut:
            parts.append(f"words found in two halves: {name_some([*cut])}")
        return "; ".join(parts)


def load_word_vectors(
    source: str | Path,
    attributes: Sequence[str],
    dimension: int | None = None,
    combine: Literal["sum", "mean"] = "sum",
    allow_missing: bool = False,
) -> WordVectors:
    """Read a vector for every attribute.

    The ending of the file determines its format; formats marked (gz) may be compressed, with a further ``.gz``:

    * ``.npy``, or ``.npz`` with one array: a row per attribute, in their order.
    * ``.npz`` with ``names`` and ``vectors``, or ``.csv`` (gz; a name, then numbers): words or whole attribute names.
    * ``.bin`` (gz): the binary file of word2vec.
    * any other (gz): text of GloVe, or of word2vec with its header. Text and binary files are streamed, so that only
      the needed words of millions are in memory.

    A name of several words is looked up as one (``bill_shape``) and then by its words, whose vectors are summed, as in
    the files that the field uses for AWA, CUB and SUN. :func:`rezsl.semantics.words_of` returns all forms that are
    looked up.

    Args:
        source: the file.
        attributes: S names.
        dimension: L, numbers per word, if the file must have exactly this many.
        combine: "sum" or "mean" of the vectors of a name's words.
        allow_missing: use the mean of the other vectors for an attribute without any word in the file.

    Raises:
        ArgumentError: there are no attributes, the dimension is below 1, or the way to combine is unknown.
        DataError: the file is missing, damaged, a pickle or of another dimension, or has no word of an attribute.
    """
    path, names = local_path(source), tuple(attributes)
    if not names or (dimension is not None and dimension < 1) or combine not in {"sum", "mean"}:
        raise ArgumentError(
            "attributes, dimension, combine: expected a name at least, 1 or more (or None) and 'sum' or 'mean', "
            f"got {len(names)} names, {dimension} and {combine!r}"
        )
    compressed = path.suffix.lower() == ".gz"
    kind = Path(path.stem).suffix.lower() if compressed else path.suffix.lower()
    reason = "compressed arrays; unpack them" if compressed and kind in {".npy", ".npz"} else _REFUSED.get(kind)
    if reason:
        raise DataError(f"{path}: expected a file of word vectors (.npy, .npz, .csv, .bin, .txt), got {reason}")
    check_file(path, "a file of word vectors", DataError)
    found = FoundWords(str(path), frozenset(word for name in names for word in words_of(name).candidates()))
    rows = None
    if kind not in {".npy", ".npz"}:
        length = _stream(path, kind, compressed, found, dimension)
    else:
        labels, array = read_arrays(path)
        if labels is None:
            rows = check_rows(array, names, path)
        length = array.shape[1] if labels is None else find_rows(labels, array, found)
    if dimension not in {None, length}:
        raise DataError(
            f"{path}: expected vectors of dimension {dimension}, got {length}; give the file of that dimension"
        )
    if rows is not None:
        return WordVectors(names, rows, tuple((name,) for name in names), {})
    return _assemble(found, names, combine, allow_missing)


def _stream(path: Path, kind: str, compressed: bool, found: FoundWords, dimension: int | None) -> int:
    with (
        reading(path, "a file of word vectors", DataError, "give another file, or copy it again"),
        gzip.open(path, "rb") if compressed else path.open("rb") as stream,
    ):
        if kind == ".bin":
            return read_binary(stream, found)
        return read_csv(stream, found) if kind == ".csv" else read_text(stream, found, dimension)


def _assemble(found: FoundWords, names: tuple[str, ...], combine: str, allow_missing: bool) -> WordVectors:
    resolutions = [resolve(words_of(name), found.positions) for name in names]
    resolved = tuple(words for words, _ in resolutions)
    missing = {name: lost for name, (_, lost) in zip(names, resolutions, strict=True) if lost}
    nothing = [name for name, words in zip(names, resolved, strict=True) if not words]
    if len(nothing) == len(names) or (nothing and not allow_missing):
        others = "" if len(nothing) == len(names) else " (load_word_vectors of Python also accepts allow_missing=True)"
        raise DataError(
            f"{found.source}: expected vectors of {name_some(nothing)} or of the words in these names, got none; "
            f"give another file, or change these names{others}"
        )
    combined = {}
    for words in filter(None, resolved):
        vectors = torch.stack([torch.from_numpy(found.vectors[word]) for word in words]).double()
        combined[words] = (vectors.sum(dim=0) if combine == "sum" else vectors.mean(dim=0)).float()
    mean = torch.stack([combined[words] for words in resolved if words]).mean(dim=0)
    return WordVectors(names, torch.stack([combined.get(words, mean) for words in resolved]), resolved, missing)


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
    beginning of every attribute of CUB is left out, because it does not distinguish the attributes. A name without
    letters and digits is a DataError.
    """
    attribute = plain_name(attribute)
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
    return Term(" ".join(tokens), _forms(written), parts)


def _token(token: str) -> Term:
    """Make the term of a token such as ``man-made``, ``chewTeeth`` or ``digit3``, which files may contain joined."""
    words = [word for piece in _WORD.findall(token) for word in _CAMEL.split(piece)]
    joined = [joint.join(words) for joint in ("-", "_", "")] if len(words) > 1 else []
    return Term(token, _forms(joined), tuple(map(_word, words)))


def _forms(names: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(form for name in names for form in (name.lower(), name)))


def _word(word: str) -> Term:
    lower = word.lower()
    spellings = [lower, word, word.title(), word.upper(), _RESPELT.get(lower, lower)]
    cuts = range(_SHORTEST_HALF, len(lower) - _SHORTEST_HALF + 1)
    halves = tuple((lower[:cut], lower[cut:]) for cut in cuts) if word.isalpha() else ()
    return Term(lower, tuple(dict.fromkeys(spellings)), halves=halves)


def resolve(term: Term, positions: Mapping[str, int]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Choose the words of a file that stand for a term.

    The whole term is preferred to its parts. Where a word can be cut in two in several ways ("nest spot", "nests pot"),
    the cut whose rarer half is the most frequent is taken: files of word vectors are sorted by falling frequency, and
    ``positions`` are the numbers of words before each word that was found.

    The result is the words, and the labels of the pieces for which none was found.
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
