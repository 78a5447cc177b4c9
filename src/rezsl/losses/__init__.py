"""Losses on predicted attributes and on class scores. Each file of this package registers its losses when imported."""

from typing import TYPE_CHECKING

from rezsl.files import import_modules
from rezsl.losses._loss import LOSSES, ClassificationLoss, RegressionLoss
from rezsl.losses._objective import Objective, ObjectiveTerms

if TYPE_CHECKING:  # for type checkers and editors, which do not run the lines below
    from rezsl.losses.balanced_mse import BalancedMSELoss as BalancedMSELoss
    from rezsl.losses.balanced_mse import BMCLoss as BMCLoss
    from rezsl.losses.balanced_mse import BNILoss as BNILoss
    from rezsl.losses.balanced_mse import GAILoss as GAILoss
    from rezsl.losses.classification import ALELoss as ALELoss
    from rezsl.losses.classification import CrossEntropyLoss as CrossEntropyLoss
    from rezsl.losses.classification import DeViSELoss as DeViSELoss
    from rezsl.losses.classification import RankingLoss as RankingLoss
    from rezsl.losses.classification import SJELoss as SJELoss
    from rezsl.losses.density_weighted import InverseFrequencyLoss as InverseFrequencyLoss
    from rezsl.losses.density_weighted import LDSLoss as LDSLoss
    from rezsl.losses.regression import FocalRLoss as FocalRLoss
    from rezsl.losses.regression import HuberLoss as HuberLoss
    from rezsl.losses.regression import MAELoss as MAELoss
    from rezsl.losses.regression import MSELoss as MSELoss
    from rezsl.losses.regression import RMSELoss as RMSELoss
    from rezsl.losses.remse import ReMSELoss as ReMSELoss
    from rezsl.losses.retraining import RRTLoss as RRTLoss

__all__ = ["LOSSES", "ClassificationLoss", "Objective", "ObjectiveTerms", "RegressionLoss"]

import_modules(__name__)
globals().update(LOSSES)
__all__.extend(name for name in LOSSES if name not in __all__)
