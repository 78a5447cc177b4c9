"""Cross-validation over classes: what a fold is tested on, nothing in its training was labelled."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Int
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_random_state

from rezsl.errors import ArgumentError, DataError


class UnseenClassKFold(BaseCrossValidator):  # type: ignore[misc] # scikit-learn is untyped
    """Splits the classes into folds; each fold's samples are tested once, by a model trained on the other classes.

    With ``scoring=t1_score`` a search then chooses by how well unseen classes are told apart.

    Args:
        n_splits: folds, at least 2. Each needs two classes: a single candidate is always right.
        shuffle: draw which classes share a fold; otherwise neighbouring labels do.
        random_state: of the draw; only with ``shuffle``.

    >>> X, y = np.zeros((8, 1)), np.array([0, 0, 1, 1, 2, 2, 3, 3])
    >>> [np.unique(y[test]).tolist() for train, test in UnseenClassKFold(2).split(X, y)]
    [[0, 1], [2, 3]]
    """

    def __init__(
        self, n_splits: int = 5, *, shuffle: bool = False, random_state: int | np.random.RandomState | None = None
    ) -> None:
        if n_splits < 2:
            raise ArgumentError(f"n_splits: expected at least 2, got {n_splits}")
        if random_state is not None and not shuffle:
            raise ArgumentError("random_state: expected none without shuffle, got one; set shuffle=True")
        self.n_splits, self.shuffle, self.random_state = n_splits, shuffle, random_state

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """The number of folds; the arguments are not looked at."""
        return self.n_splits

    def split(
        self, X: Any, y: Any, groups: Any = None
    ) -> Iterator[tuple[Int[np.ndarray, "N_train"], Int[np.ndarray, "N_test"]]]:
        """Indices of training and of test samples, fold by fold.

        Args:
            X: not looked at.
            y: labels, ``[N]``.
            groups: not looked at: the classes are the groups.

        Raises:
            DataError: there are fewer than two classes per fold.
        """
        labels = np.asarray(y)
        classes = np.unique(labels)
        if len(classes) < 2 * self.n_splits:
            raise DataError(
                f"y: expected at least {2 * self.n_splits} classes, two for each of {self.n_splits} folds, got "
                f"{len(classes)}; lower n_splits or give more classes"
            )
        if self.shuffle:
            classes = check_random_state(self.random_state).permutation(classes)
        for fold in np.array_split(classes, self.n_splits):
            is_test = np.isin(labels, fold)
            yield np.flatnonzero(~is_test), np.flatnonzero(is_test)
