"""Tables that a text encoder or word vectors draft from names, and class semantics that are vectors of descriptions."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.errors import ArgumentError, DataError, check_choice, name_some
from rezsl.functional import l2_normalize
from rezsl.functional.ridge import ridge
from rezsl.functional.statistics import pearson
from rezsl.semantics._near_names import plain_name
from rezsl.semantics._table_file import note_on_draft
from rezsl.semantics.table import ClassSemantics
from rezsl.semantics.text_encoder import encode_texts
from rezsl.semantics.word_vectors import load_word_vectors, text_of

Centering = Literal["vectors", "scores", "none"]

CLASS_PROMPTS = ("{name}", "a photo of a {name}", "the {name}, a kind of {kind}")
ATTRIBUTE_PROMPTS = ("{name}", "a {kind} described as {name}", "{name} {kind}")
"""Texts of which a text encoder's unit vectors are averaged, for a class and for an attribute."""

DIGITS = 2
"""Decimals of drafted values, because more would look like a precision that they do not have."""

_FEWEST_KNOWN = 3


def draft_semantics(
    classes: Sequence[str],
    attributes: Sequence[str] = (),
    text_encoder: str | None = None,
    word_vectors: str | Path | None = None,
    kind: str = "thing",
    known: ClassSemantics | None = None,
) -> ClassSemantics:
    """Draft a table from names, for people to review; its ``drafted`` says what made it.

    Without known rows, a value is Φ(s / σ): the share of a normal distribution below the similarity s of the class and
    the attribute, where σ is the root mean square of s; see :func:`text_similarities`. Measured on published tables,
    these values have a correlation of 0.06 (birds) to 0.26 (animals) with those of people.

    With known rows, those of other classes follow from them: a ridge regression from the vectors of class names to the
    rows, see :func:`rezsl.functional.ridge.ridge`, within the range of each attribute. The known classes keep their
    rows. A note says how well the rows of known classes are found when each is left out.

    Args:
        classes: names of classes. With known rows, those that have one are passed over.
        attributes: names of attributes; with known rows, leave them out.
        text_encoder: a text encoder, see :func:`encode_texts`.
        word_vectors: or a file with vectors of the words in all names, see :func:`load_word_vectors`.
        kind: a word for what all classes are, such as "bird"; the text encoder receives it beside the names.
        known: rows that people gave, of three classes or more.

    Raises:
        ArgumentError: not exactly one source of vectors is given, there are fewer than two classes or attributes, too
            few known rows, or nothing to draft.
        DataError: the encoder or the file cannot be used, or has no vector of a name.
    """
    names = list(dict.fromkeys(map(plain_name, classes)))
    _check_one_source(text_encoder, word_vectors)
    source = (
        f"word vectors {Path(word_vectors).name}" if word_vectors else f"text encoder {Path(str(text_encoder)).name}"
    )
    if known is not None:
        return _from_known_rows(names, attributes, text_encoder, word_vectors, kind, known, source)
    if len(names) < 2 or len(attributes) < 2:
        raise ArgumentError(
            f"classes, attributes: expected at least two of each, got {len(names)} and {len(attributes)}; add names"
        )
    scores = text_similarities(names, attributes, text_encoder, word_vectors, kind)
    if not bool(scores.abs().max() > 1e-9):
        raise DataError(f"{source}: expected vectors that differ between names, got equal ones; choose another source")
    values = torch.special.ndtr(scores / scores.square().mean().sqrt().clamp_min(1e-12))
    # A row is never all 0, also where every similarity is far below the mean.
    values = values.clamp_min(10.0**-DIGITS).round(decimals=DIGITS)
    return ClassSemantics(
        tuple(names), tuple(attributes), values.float(), notes=(note_on_draft("the table", source),), drafted=source
    )


def text_similarities(
    classes: Sequence[str],
    attributes: Sequence[str],
    text_encoder: str | None = None,
    word_vectors: str | Path | None = None,
    kind: str = "thing",
    centering: Centering = "vectors",
    prompts: bool = True,
) -> Float[Tensor, "C S"]:
    """Return the cosine of the vectors of each class and each attribute, in float64.

    The vectors of all names have a common part, by which some class is near to every attribute, and some attribute to
    every class. Centering removes it.

    Args:
        classes: C names.
        attributes: S names.
        text_encoder: as for :func:`draft_semantics`.
        word_vectors: as for :func:`draft_semantics`.
        kind: as for :func:`draft_semantics`.
        centering: "vectors" subtracts the mean vector of the classes from those of the classes, and likewise for the
            attributes, before the cosine; "scores" subtracts the means of rows and columns from the cosines; "none".
        prompts: average the vectors of several texts for each name (:data:`CLASS_PROMPTS`, :data:`ATTRIBUTE_PROMPTS`);
            with False, and for word vectors, the names alone.

    Raises:
        ArgumentError: not exactly one source of vectors is given, or ``centering`` is none of these.
        DataError: the encoder or the file cannot be used, or has no vector of a name.
    """
    check_choice(Centering, centering=centering)
    _check_one_source(text_encoder, word_vectors)
    vectors = _vectors(classes, attributes, text_encoder, word_vectors, kind, prompts)
    of_classes, of_attributes = vectors[: len(classes)], vectors[len(classes) :]
    if centering == "vectors":
        of_classes, of_attributes = (side - side.mean(dim=0) for side in (of_classes, of_attributes))
    scores = l2_normalize(of_classes) @ l2_normalize(of_attributes).T
    if centering == "scores":
        scores = scores - scores.mean(dim=0) - scores.mean(dim=1, keepdim=True) + scores.mean()
    return scores


def describe_classes(descriptions: Mapping[str, str], text_encoder: str) -> ClassSemantics:
    """Return class semantics without attributes: the unit vector of a text about each class.

    The columns are ``text 1`` to ``text L``. A class that is added later needs the vector of the same encoder. What a
    model has learnt cannot be read from such columns, and nobody can review them.

    Args:
        descriptions: the text of each class, at least two.
        text_encoder: a text encoder, see :func:`encode_texts`.

    Raises:
        ArgumentError: there are fewer than two classes, or one has no text.
        DataError: the encoder cannot be used.
    """
    names = tuple(descriptions)
    if len(names) < 2:
        raise ArgumentError(f"descriptions: expected texts of at least two classes, got {len(names)}; add some")
    if empty := [name for name, text in descriptions.items() if not text.strip()]:
        raise ArgumentError(f"descriptions: expected a text of each class, got none of {name_some(empty)}; write one")
    vectors = l2_normalize(encode_texts(text_encoder, [" ".join(text.split()) for text in descriptions.values()]))
    columns = tuple(f"text {number}" for number in range(1, vectors.shape[1] + 1))
    note = f"the columns are the vector of a text on each class, by the text encoder {Path(text_encoder).name}"
    return ClassSemantics(names, columns, vectors, notes=(note,))


def _check_one_source(text_encoder: str | None, word_vectors: str | Path | None) -> None:
    if (text_encoder is None) == (word_vectors is None):
        given = "none" if text_encoder is None else "both"
        raise ArgumentError(f"text_encoder, word_vectors: expected one of the two, got {given}; give one of them")


def _from_known_rows(
    names: Sequence[str],
    attributes: Sequence[str],
    text_encoder: str | None,
    word_vectors: str | Path | None,
    kind: str,
    known: ClassSemantics,
    source: str,
) -> ClassSemantics:
    new = [name for name in names if name not in known.classes]
    if [*attributes] and [*map(plain_name, attributes)] != [*known.attributes]:
        raise ArgumentError("attributes: expected those of the known rows, got others; leave them out")
    if not new:
        raise ArgumentError("classes: expected a class without a known row, got none; add a name")
    if len(known.classes) < _FEWEST_KNOWN:
        raise ArgumentError(
            f"known: expected rows of at least {_FEWEST_KNOWN} classes, got {len(known.classes)}; add rows, or draft "
            f"without them"
        )
    vectors = _vectors([*known.classes, *new], (), text_encoder, word_vectors, kind, prompts=True)
    count, values = len(known.classes), known.values.double()
    fitted = ridge(vectors[:count], values)
    low, high = values.amin(dim=0), values.amax(dim=0)
    rows = fitted.predict(vectors[count:]).clamp(low, high).round(decimals=DIGITS)
    if bool((empty := (rows == 0).all(dim=1)).any()):
        some = name_some([name for name, is_empty in zip(new, empty.tolist(), strict=True) if is_empty])
        raise DataError(f"known: the rows of {some} would be all 0; give these rows by hand")
    drafted = f"{source} from the rows of {count} classes; drafted rows: {', '.join(new)}"
    found, by_chance = _left_out_correlations(values, fitted.left_out)
    note = (
        f"each of the {count} known rows was predicted from the others: their correlation with the given values, both "
        f"less the attributes' means, is {found:.2f}, and by chance it reaches {by_chance:.2f}; the draft is worth a "
        f"review only where it is well above chance{'' if found > by_chance else ', and here it is not'}"
    )
    return ClassSemantics(
        (*known.classes, *new),
        known.attributes,
        torch.cat([values, rows]).float(),
        groups=known.groups,
        notes=(*known.notes, note_on_draft("the table", drafted), note),
        drafted=drafted,
    )


def _left_out_correlations(values: Float[Tensor, "K S"], left_out: Float[Tensor, "K S"]) -> tuple[float, float]:
    """Return the correlation of left-out rows with the values, both less the attributes' means, and that by chance.

    By chance is the largest of 20 correlations with the rows in another order, drawn by a seed.
    """
    apart, found = (values - values.mean(dim=0), left_out - values.mean(dim=0))
    generator = torch.Generator().manual_seed(0)
    orders = [torch.randperm(len(values), generator=generator) for _ in range(20)]
    draws = [float(pearson(found[order].reshape(-1, 1), apart.reshape(-1, 1))) for order in orders]
    return float(pearson(found.reshape(-1, 1), apart.reshape(-1, 1))), max(draws)


def _vectors(
    classes: Sequence[str],
    attributes: Sequence[str],
    text_encoder: str | None,
    word_vectors: str | Path | None,
    kind: str,
    prompts: bool,
) -> Float[Tensor, "N L"]:
    """Return unit vectors of the names of classes, and then of attributes, in float64."""
    # Data sets number their classes, as in 001.Black_footed_Albatross.
    bare = [re.sub(r"^\d+[._ -]+(?=\D)", "", name) for name in classes]
    if word_vectors is not None:
        return l2_normalize(load_word_vectors(word_vectors, [*bare, *attributes]).vectors.double())
    texts = [(text_of(name), CLASS_PROMPTS) for name in bare] + [
        (text_of(name), ATTRIBUTE_PROMPTS) for name in attributes
    ]
    variants = len(CLASS_PROMPTS) if prompts else 1
    filled = [text.format(name=name, kind=kind) for name, forms in texts for text in forms[:variants]]
    vectors = l2_normalize(encode_texts(str(text_encoder), filled).double())
    return l2_normalize(vectors.unflatten(0, (len(texts), variants)).mean(dim=1))
