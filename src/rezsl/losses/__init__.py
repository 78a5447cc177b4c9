"""Losses on predicted attributes and on class scores. Each file of this package registers its losses when imported."""

from typing import TYPE_CHECKING

from rezsl.losses._loss import LOSSES, ClassificationLoss, RegressionLoss
from rezsl.losses._objective import Objective, ObjectiveTerms
from rezsl.records import import_modules

if TYPE_CHECKING:  # for type checkers and editors, which do not run the lines below
    from rezsl.losses.balanced_mse import *  # noqa: F403
    from rezsl.losses.classification import *  # noqa: F403
    from rezsl.losses.imbalanced_regression import *  # noqa: F403
    from rezsl.losses.regression import *  # noqa: F403
    from rezsl.losses.remse import *  # noqa: F403

__all__ = ["LOSSES", "ClassificationLoss", "Objective", "ObjectiveTerms", "RegressionLoss"]

import_modules(__name__)
globals().update(LOSSES)
__all__.extend(name for name in LOSSES if name not in __all__)
