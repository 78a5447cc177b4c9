"""The table that describes every class, and word vectors of its attributes' names."""

from rezsl.semantics._near_names import did_you_mean, plain_name
from rezsl.semantics._table_checks import constant_attributes
from rezsl.semantics._table_file import NO, UNKNOWN, YES
from rezsl.semantics.doctor import Finding, examine
from rezsl.semantics.drafting import describe_classes, draft_semantics, text_similarities
from rezsl.semantics.replies import ReplyTable, read_reply, semantics_prompt
from rezsl.semantics.table import ClassSemantics, pack_semantics, unpack_semantics, with_places
from rezsl.semantics.text_encoder import encode_texts, encode_words
from rezsl.semantics.word_vectors import Term, WordVectors, load_word_vectors, text_of, words_of

__all__ = [
    "NO",
    "UNKNOWN",
    "YES",
    "ClassSemantics",
    "Finding",
    "ReplyTable",
    "Term",
    "WordVectors",
    "constant_attributes",
    "describe_classes",
    "did_you_mean",
    "draft_semantics",
    "encode_texts",
    "encode_words",
    "examine",
    "load_word_vectors",
    "pack_semantics",
    "plain_name",
    "read_reply",
    "semantics_prompt",
    "text_of",
    "text_similarities",
    "unpack_semantics",
    "with_places",
    "words_of",
]
