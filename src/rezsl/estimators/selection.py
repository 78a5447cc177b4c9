"""Model selection for zero-shot learning in scikit-learn: folds of classes, and the score of classes left out."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Int
from sklearn.metrics import recall_score
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_random_state

from rezsl.errors import ArgumentError, DataError


def class_averaged_accuracy(y_true: Any, y_predicted: Any, sample_weight: Any = None) -> float:
    """Return the mean of the accuracies within each class of ``y_true``, in ``[0, 1]``.

    A class that is predicted but does not occur in ``y_true`` has no accuracy and does not count.

    Args:
        y_true: right labels, ``[N]``.
        y_predicted: predicted labels, ``[N]``.
        sample_weight: the weight of each sample within its class, ``[N]``; None gives all samples the same weight.

    >>> class_averaged_accuracy(["cat", "cat", "dog"], ["cat", "fox", "dog"])
    0.75
    """
    weighted = {"labels": np.unique(y_true), "average": "macro", "sample_weight": sample_weight}
    return float(recall_score(y_true, y_predicted, zero_division=np.nan, **weighted))


def t1_score(estimator: Any, X: Any, y: Any) -> float:
    """Return T1, the class-averaged accuracy among only the classes in ``y``: use it as ``scoring`` of a search.

    With :class:`UnseenClassKFold` those are classes that the estimator was not trained on.

    Args:
        estimator: a zero-shot estimator, or a pipeline that ends in one. Of a finished search pass
            ``best_estimator_``, because the ``predict`` of scikit-learn's searches takes no candidate classes.
        X: features, ``[N, D]``.
        y: right labels, ``[N]``.
    """
    return class_averaged_accuracy(y, estimator.predict(X, classes=np.unique(y)))


class UnseenClassKFold(BaseCrossValidator):  # type: ignore[misc] # scikit-learn is untyped
    """Cross-validation over classes: each fold is tested on classes that its training samples do not contain.

    With ``scoring=t1_score`` a search chooses the settings that recognise unseen classes best.

    Args:
        n_splits: number of folds, at least 2. Each fold needs two classes, because a single candidate is always right.
        shuffle: draw which classes share a fold; otherwise neighbouring labels do.
        random_state: of the draw; it is only allowed with ``shuffle``.

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
        """Return the number of folds; the arguments are ignored."""
        return self.n_splits

    def split(
        self, X: Any, y: Any, groups: Any = None
    ) -> Iterator[tuple[Int[np.ndarray, "N_train"], Int[np.ndarray, "N_test"]]]:
        """Yield indices of training samples and of test samples by the labels ``y`` ``[N]`` alone, fold by fold.

        Fewer than two classes for each fold are a :class:`DataError`.
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
