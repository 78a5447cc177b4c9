"""Word vectors of attributes from the files that word2vec, GloVe, NumPy and spreadsheets write."""

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.errors import ArgumentError, DataError, name_some
from rezsl.semantics.found_words import FoundWords
from rezsl.semantics.word_binary_files import read_binary
from rezsl.semantics.word_names import words_of
from rezsl.semantics.word_resolution import resolve
from rezsl.semantics.word_tables import find_rows, read_arrays, read_csv, read_rows
from rezsl.semantics.word_text_files import read_text
from rezsl.semantics.word_vectors import WordVectors

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


def load_word_vectors(
    source: str | Path,
    attributes: Sequence[str],
    dimension: int | None = None,
    combine: Literal["sum", "mean"] = "sum",
    allow_missing: bool = False,
) -> WordVectors:
    """Read a vector for every attribute.

    The ending of the file says what it is, with or without ``.gz`` behind it where it is marked (gz):

    * ``.npy``, or ``.npz`` of one array: a row per attribute, in their order.
    * ``.npz`` of ``names`` and ``vectors``, ``.csv`` (gz; a name, then numbers): words, or the attributes themselves.
    * ``.bin`` (gz): word2vec's binary file.
    * any other (gz): text of GloVe, or of word2vec with its header. Like binary files these are streamed: of millions
      of words only those needed are ever in memory.

    A name of several words is looked up as one (``bill_shape``) and then by its words, whose vectors are summed, as in
    the files that the field uses for AWA, CUB and SUN. :func:`rezsl.semantics.words_of` says what is tried.

    Args:
        source: the file.
        attributes: S names.
        dimension: L, numbers per word, if the file must have just so many.
        combine: "sum" or "mean" of the vectors of a name's words.
        allow_missing: give attributes of which no word is found the mean of the others, instead of an error.

    Raises:
        ArgumentError: no attributes, a dimension below 1, an unknown way to combine.
        DataError: the file is missing, damaged, of another dimension, a pickle, or knows nothing of an attribute.
    """
    path, names = Path(source), tuple(attributes)
    if not names or (dimension is not None and dimension < 1) or combine not in {"sum", "mean"}:
        raise ArgumentError(
            "attributes, dimension, combine: expected a name at least, 1 or more (or None) and 'sum' or 'mean', "
            f"got {len(names)} names, {dimension} and {combine!r}"
        )
    compressed = path.suffix.lower() == ".gz"
    kind = Path(path.stem).suffix.lower() if compressed else path.suffix.lower()
    _refuse(path, kind, compressed)
    found = FoundWords(str(path), frozenset(word for name in names for word in words_of(name).candidates()))
    if kind in {".npy", ".npz"}:
        labels, array = read_arrays(path)
        if labels is None:
            rows = read_rows(array, names, str(path))
            _check_dimension(path, rows.shape[1], dimension)
            return WordVectors(names, rows, tuple((name,) for name in names), {})
        length = find_rows(labels, array, found)
    else:
        length = _stream(path, kind, compressed, found, dimension)
    _check_dimension(path, length, dimension)
    return _assemble(found, names, combine, allow_missing)


def _refuse(path: Path, kind: str, compressed: bool) -> None:
    reason = _REFUSED.get(kind)
    if compressed and kind in {".npy", ".npz"}:
        reason = "compressed arrays; unpack them"
    if reason:
        raise DataError(f"{path}: expected a file of word vectors (.npy, .npz, .csv, .bin, .txt), got {reason}")


def _stream(path: Path, kind: str, compressed: bool, found: FoundWords, dimension: int | None) -> int:
    try:
        with gzip.open(path, "rb") if compressed else path.open("rb") as stream:
            if kind == ".bin":
                return read_binary(stream, found)
            return read_csv(stream, found) if kind == ".csv" else read_text(stream, found, dimension)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be read ({reason}); expected a file of word vectors") from error


def _check_dimension(path: Path, length: int, dimension: int | None) -> None:
    if dimension is not None and length != dimension:
        raise DataError(
            f"{path}: expected vectors of dimension {dimension}, got {length}; give the file of that dimension"
        )


def _assemble(found: FoundWords, names: tuple[str, ...], combine: str, allow_missing: bool) -> WordVectors:
    resolutions = [resolve(words_of(name), found.positions) for name in names]
    resolved = tuple(words for words, _ in resolutions)
    missing = {name: lost for name, (_, lost) in zip(names, resolutions, strict=True) if lost}
    nothing = [name for name, words in zip(names, resolved, strict=True) if not words]
    if len(nothing) == len(names) or (nothing and not allow_missing):
        advice = "give another file, or rename them" + ("" if len(nothing) == len(names) else ", or allow_missing")
        raise DataError(f"{found.source}: no vector for {name_some(nothing)}, nor for the words in the names; {advice}")
    known = [_combine(found, words, combine) for words in resolved if words]
    mean = torch.stack(known).mean(dim=0)
    rows = iter(known)
    vectors = torch.stack([next(rows) if words else mean for words in resolved])
    return WordVectors(names, vectors, resolved, missing)


def _combine(found: FoundWords, words: tuple[str, ...], combine: str) -> Float[Tensor, "L"]:
    vectors = torch.stack([torch.from_numpy(found.vectors[word]) for word in words]).double()
    return (vectors.sum(dim=0) if combine == "sum" else vectors.mean(dim=0)).float()
