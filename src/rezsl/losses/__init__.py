"""Losses on predicted semantics and on class scores, one per file, and the objective that sums them."""

from rezsl.losses.classification_loss import ClassificationLoss
from rezsl.losses.cross_entropy import CrossEntropyLoss
from rezsl.losses.mse import MSELoss
from rezsl.losses.objective import Objective, ObjectiveTerms
from rezsl.losses.regression_loss import RegressionLoss
from rezsl.losses.remse import ReMSELoss

__all__ = [
    "ClassificationLoss",
    "CrossEntropyLoss",
    "MSELoss",
    "Objective",
    "ObjectiveTerms",
    "ReMSELoss",
    "RegressionLoss",
]
