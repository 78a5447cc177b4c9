"""Losses on predicted semantics, one per file, and the objective that sums them."""

from rezsl.losses.mse import MSELoss
from rezsl.losses.objective import Objective, ObjectiveTerms
from rezsl.losses.regression_loss import RegressionLoss
from rezsl.losses.remse import ReMSELoss

__all__ = ["MSELoss", "Objective", "ObjectiveTerms", "ReMSELoss", "RegressionLoss"]
