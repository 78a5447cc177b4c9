"""Faces of scikit-learn for every method on features: fit, predict, search, pipelines."""

from rezsl.errors import needs

with needs("estimators", "estimators of scikit-learn"):
    import sklearn  # noqa: F401 - the modules below need it

from rezsl.estimators.class_averaged_accuracy import class_averaged_accuracy, t1_score
from rezsl.estimators.dap import DAP
from rezsl.estimators.eszsl import ESZSL
from rezsl.estimators.linear_zsl import LinearZSL
from rezsl.estimators.mlp_zsl import MLPZSL
from rezsl.estimators.ranking_estimators import ALE, SJE, DeViSE
from rezsl.estimators.sae import SAE
from rezsl.estimators.smoothed_zsl import SmoothedZSL
from rezsl.estimators.unseen_class_k_fold import UnseenClassKFold
from rezsl.estimators.zero_shot_estimator import ZeroShotEstimator

__all__ = [
    "ALE",
    "DAP",
    "ESZSL",
    "MLPZSL",
    "SAE",
    "SJE",
    "DeViSE",
    "LinearZSL",
    "SmoothedZSL",
    "UnseenClassKFold",
    "ZeroShotEstimator",
    "class_averaged_accuracy",
    "t1_score",
]
