"""Architectures from regions to attributes. Each file of this package registers its models when it is imported."""

from typing import TYPE_CHECKING

from rezsl.models._semantic_model import (
    MODELS,
    ClosedForm,
    HasAttention,
    HasOwnTraining,
    SemanticModel,
    TrainingOutput,
    pool,
)
from rezsl.records import import_modules

if TYPE_CHECKING:  # for type checkers and editors, which do not run the loop below
    from rezsl.models.apn import APN as APN
    from rezsl.models.attention import AttentionNet as AttentionNet
    from rezsl.models.class_norm import CNZSL as CNZSL
    from rezsl.models.clip import CLIPZeroShot as CLIPZeroShot
    from rezsl.models.gem import GEMNet as GEMNet
    from rezsl.models.latent import LATEM as LATEM
    from rezsl.models.linear import DAP as DAP
    from rezsl.models.linear import ESZSL as ESZSL
    from rezsl.models.linear import SAE as SAE
    from rezsl.models.linear import Bilinear as Bilinear
    from rezsl.models.linear import LinearRegressor as LinearRegressor
    from rezsl.models.mlp import MLPRegressor as MLPRegressor
    from rezsl.models.mlp import SmoothedRegressor as SmoothedRegressor
    from rezsl.models.phantom import SYNC as SYNC

__all__ = ["MODELS", "ClosedForm", "HasAttention", "HasOwnTraining", "SemanticModel", "TrainingOutput", "pool"]

import_modules(__name__)
globals().update({model.__name__: model for model in MODELS.values()})
__all__.extend(model.__name__ for model in MODELS.values())
