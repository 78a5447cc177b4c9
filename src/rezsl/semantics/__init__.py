"""The table that describes every class, and word vectors of its attributes' names."""

from rezsl.semantics._near_names import did_you_mean, plain_name
from rezsl.semantics._table_checks import constant_attributes
from rezsl.semantics.doctor import Finding, examine
from rezsl.semantics.table import ClassSemantics, pack_semantics, unpack_semantics, with_places
from rezsl.semantics.text_encoder import encode_texts, encode_words
from rezsl.semantics.word_vectors import Term, WordVectors, load_word_vectors, text_of, words_of

__all__ = [
    "ClassSemantics",
    "Finding",
    "Term",
    "WordVectors",
    "constant_attributes",
    "did_you_mean",
    "encode_texts",
    "encode_words",
    "examine",
    "load_word_vectors",
    "pack_semantics",
    "plain_name",
    "text_of",
    "unpack_semantics",
    "with_places",
    "words_of",
]
