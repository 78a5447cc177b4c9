"""A vector for every attribute, and the account of where it came from."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor

from rezsl.errors import name_some


@dataclass(frozen=True, eq=False)
class WordVectors:
    """Vectors of attribute names, for :meth:`rezsl.ClassSemantics.with_word_vectors`.

    Attributes:
        attributes: S names.
        vectors: one per attribute, ``[S, L]``, float32.
        resolved: the words of the file that each vector was made of; none for an attribute that got the others' mean.
        missing: the words that were not found, of each attribute that has any.
    """

    attributes: tuple[str, ...]
    vectors: Float[Tensor, "S L"]
    resolved: tuple[tuple[str, ...], ...]
    missing: dict[str, tuple[str, ...]]

    def report(self) -> str:
        """One sentence: what was not found, and which words were cut in two to be found."""
        length = self.vectors.shape[1]
        parts = [f"word vectors of length {length} for {len(self.attributes)} attributes"]
        named = dict(zip(self.attributes, self.resolved, strict=True))
        guessed = [name for name, words in named.items() if not words]
        if guessed:
            parts.append(f"nothing was found of {name_some(guessed)}, which got the mean of the others")
        lost = {word: name for name, words in self.missing.items() if named[name] for word in words}
        if lost:
            parts.append(f"left out of their attributes, not being found: {name_some([*lost])}")
        cut = {f"{first} + {second}": name for name, words in named.items() for first, second in _cut(name, words)}
        if cut:
            parts.append(f"read in two: {name_some([*cut])}")
        return "; ".join(parts)


def _cut(name: str, words: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of neighbours that are one word in the name."""
    return [pair for pair in pairwise(words) if "".join(pair).lower() in name.lower()]
