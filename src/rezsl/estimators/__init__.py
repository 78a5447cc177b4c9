"""Scikit-learn classifiers for every method on feature vectors, with cross-validation over classes."""

from rezsl.errors import needs

with needs("estimators", "the scikit-learn estimators"):
    import sklearn  # noqa: F401 - the modules below need it

from rezsl.estimators.methods import (
    ALE,
    CNZSL,
    DAP,
    ESZSL,
    LATEM,
    MLPZSL,
    SAE,
    SJE,
    SYNC,
    DeViSE,
    LinearZSL,
    SmoothedZSL,
)
from rezsl.estimators.selection import UnseenClassKFold, class_averaged_accuracy, t1_score
from rezsl.estimators.zero_shot_estimator import ZeroShotEstimator

__all__ = [
    "ALE",
    "CNZSL",
    "DAP",
    "ESZSL",
    "LATEM",
    "MLPZSL",
    "SAE",
    "SJE",
    "SYNC",
    "DeViSE",
    "LinearZSL",
    "SmoothedZSL",
    "UnseenClassKFold",
    "ZeroShotEstimator",
    "class_averaged_accuracy",
    "t1_score",
]
