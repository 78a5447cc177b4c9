"""Word vectors of attribute names: what AttentionNet asks the regions of an image for."""

from rezsl.words.loading import load_word_vectors
from rezsl.words.names import Term, text_of, words_of
from rezsl.words.text_encoder import encode_words
from rezsl.words.word_vectors import WordVectors

__all__ = ["Term", "WordVectors", "encode_words", "load_word_vectors", "text_of", "words_of"]
