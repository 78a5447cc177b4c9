"""Losses on predicted semantics and on class scores, one per file, and the objective that sums them."""

from rezsl.losses.ale import ALELoss
from rezsl.losses.balanced_mse import BalancedMSELoss
from rezsl.losses.bmc import BMCLoss
from rezsl.losses.bni import BNILoss
from rezsl.losses.classification_loss import ClassificationLoss
from rezsl.losses.cross_entropy import CrossEntropyLoss
from rezsl.losses.density_weighted_loss import DensityWeightedLoss
from rezsl.losses.devise import DeViSELoss
from rezsl.losses.focal_r import FocalRLoss
from rezsl.losses.gai import GAILoss
from rezsl.losses.huber import HuberLoss
from rezsl.losses.inverse_frequency import InverseFrequencyLoss
from rezsl.losses.lds import LDSLoss
from rezsl.losses.mae import MAELoss
from rezsl.losses.mse import MSELoss
from rezsl.losses.objective import Objective, ObjectiveTerms
from rezsl.losses.ranking_loss import RankingLoss
from rezsl.losses.regression_loss import RegressionLoss
from rezsl.losses.remse import ReMSELoss
from rezsl.losses.rmse import RMSELoss
from rezsl.losses.rrt import RRTLoss
from rezsl.losses.sje import SJELoss

__all__ = [
    "ALELoss",
    "BMCLoss",
    "BNILoss",
    "BalancedMSELoss",
    "ClassificationLoss",
    "CrossEntropyLoss",
    "DeViSELoss",
    "DensityWeightedLoss",
    "FocalRLoss",
    "GAILoss",
    "HuberLoss",
    "InverseFrequencyLoss",
    "LDSLoss",
    "MAELoss",
    "MSELoss",
    "Objective",
    "ObjectiveTerms",
    "RMSELoss",
    "RRTLoss",
    "RankingLoss",
    "ReMSELoss",
    "RegressionLoss",
    "SJELoss",
]
