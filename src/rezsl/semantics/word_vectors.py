"""A vector for every attribute, from the files that word2vec, GloVe, NumPy and spreadsheets write."""

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.errors import ArgumentError, DataError, name_some
from rezsl.semantics._word_files import FoundWords, check_rows, find_rows, read_arrays, read_binary, read_csv, read_text
from rezsl.semantics._word_names import resolve, words_of

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
    path, names = Path(source), tuple(attributes)
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
    try:
        with gzip.open(path, "rb") if compressed else path.open("rb") as stream:
            if kind == ".bin":
                return read_binary(stream, found)
            return read_csv(stream, found) if kind == ".csv" else read_text(stream, found, dimension)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be read ({reason}); expected a file of word vectors") from error


def _assemble(found: FoundWords, names: tuple[str, ...], combine: str, allow_missing: bool) -> WordVectors:
    resolutions = [resolve(words_of(name), found.positions) for name in names]
    resolved = tuple(words for words, _ in resolutions)
    missing = {name: lost for name, (_, lost) in zip(names, resolutions, strict=True) if lost}
    nothing = [name for name, words in zip(names, resolved, strict=True) if not words]
    if len(nothing) == len(names) or (nothing and not allow_missing):
        others = "" if len(nothing) == len(names) else ", or pass allow_missing=True"
        raise DataError(
            f"{found.source}: expected vectors of {name_some(nothing)} or of the words in these names, got none; "
            f"give another file, or rename the attributes{others}"
        )
    combined = {words: _combine(found, words, combine) for words in resolved if words}
    mean = torch.stack([combined[words] for words in resolved if words]).mean(dim=0)
    return WordVectors(names, torch.stack([combined.get(words, mean) for words in resolved]), resolved, missing)


def _combine(found: FoundWords, words: tuple[str, ...], combine: str) -> Float[Tensor, "L"]:
    vectors = torch.stack([torch.from_numpy(found.vectors[word]) for word in words]).double()
    return (vectors.sum(dim=0) if combine == "sum" else vectors.mean(dim=0)).float()
