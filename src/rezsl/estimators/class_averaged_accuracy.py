"""The accuracy that zero-shot learning reports, and T1 as a scorer of scikit-learn."""

from typing import Any

import numpy as np


def class_averaged_accuracy(y_true: Any, y_predicted: Any, sample_weight: Any = None) -> float:
    """The mean over the classes in ``y_true`` of the accuracy within each; a class that is only predicted is no zero.

    Args:
        y_true: right labels, ``[N]``.
        y_predicted: predicted ones, ``[N]``.
        sample_weight: how much each sample counts within its class, ``[N]``; None counts all alike.

    >>> class_averaged_accuracy(["cat", "cat", "dog"], ["cat", "fox", "dog"])
    0.75
    """
    true, predicted = np.asarray(y_true), np.asarray(y_predicted)
    weight = np.ones(len(true)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    codes = np.unique(true, return_inverse=True)[1]
    total = np.bincount(codes, weights=weight)
    right = np.bincount(codes, weights=weight * (true == predicted))
    return float((right[total > 0] / total[total > 0]).mean())


def t1_score(estimator: Any, X: Any, y: Any) -> float:
    """T1, the class-averaged accuracy among the classes in ``y`` alone: ``scoring=t1_score`` of any search.

    With :class:`~rezsl.estimators.UnseenClassKFold` those are classes that the estimator was not trained on.

    Args:
        estimator: a zero-shot estimator, or a pipeline that ends in one. Of a finished search it is
            ``best_estimator_``: scikit-learn's searches have no candidates to predict among.
        X: features, ``[N, D]``.
        y: right labels, ``[N]``.
    """
    return class_averaged_accuracy(y, estimator.predict(X, classes=np.unique(y)))
