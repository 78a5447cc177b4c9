"""What a file of word vectors knows of the words that are needed."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from rezsl.errors import DataError


@dataclass
class FoundWords:
    """The needed words of one file; everything else in the file is passed over and never kept.

    Attributes:
        source: the file, for messages.
        wanted: the words that are needed.
        vectors: vector of each word found, float32 ``[L]``.
        positions: how many words come before it. Files are sorted by falling frequency, so this is its rarity.
    """

    source: str
    wanted: frozenset[str]
    vectors: dict[str, np.ndarray] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)

    def add(
        self, word: str, numbers: Iterable[float] | Iterable[bytes] | Iterable[str], position: int, place: str
    ) -> None:
        """Keep the first vector of a word.

        Args:
            word: one of ``wanted``.
            numbers: its vector, as numbers or their text.
            position: how many words come before it in the file.
            place: where it stands, for messages, such as "line 7".

        Raises:
            DataError: something is not a number, or not finite as float32.
        """
        if word in self.vectors:
            return
        try:
            exact = np.array([float(number) for number in numbers])
        except ValueError as error:
            raise DataError(f"{self.source}, {place}, word {word!r}: expected numbers ({error})") from None
        with np.errstate(over="ignore"):
            vector = exact.astype(np.float32)
        if not np.isfinite(vector).all():
            bad = exact[~np.isfinite(vector)][0]
            raise DataError(f"{self.source}, {place}, word {word!r}: expected finite numbers, got {bad}")
        self.vectors[word] = vector
        self.positions[word] = position
