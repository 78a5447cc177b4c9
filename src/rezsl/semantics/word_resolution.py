"""Which words of a file stand for an attribute."""

from collections.abc import Mapping

from rezsl.semantics.word_names import Term


def resolve(term: Term, positions: Mapping[str, int]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words that stand for a term, and the labels of the pieces that nothing stands for.

    The whole is preferred to its parts. Where a word can be cut in two in several ways ("nest spot", "nests pot"), the
    cut whose rarer half is the most frequent is taken: files of word vectors are sorted by falling frequency.

    Args:
        term: from :func:`rezsl.semantics.words_of`.
        positions: how many words come before each word that was found in the file.
    """
    for spelling in term.spellings:
        if spelling in positions:
            return (spelling,), ()
    if term.parts:
        pieces = [resolve(part, positions) for part in term.parts]
        return tuple(word for found, _ in pieces for word in found), tuple(word for _, lost in pieces for word in lost)
    known = [pair for pair in term.halves if pair[0] in positions and pair[1] in positions]
    if not known:
        return (), (term.label,)
    return min(known, key=lambda pair: max(positions[half] for half in pair)), ()
