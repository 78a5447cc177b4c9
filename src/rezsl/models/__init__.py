"""Architectures from regions to semantics, one per file."""

from rezsl.models.attention_net import AttentionNet
from rezsl.models.bilinear import Bilinear
from rezsl.models.closed_form import ClosedForm
from rezsl.models.dap import DAP
from rezsl.models.eszsl import ESZSL
from rezsl.models.gem_net import GEMNet
from rezsl.models.grouped_model import GroupedModel
from rezsl.models.linear_regressor import LinearRegressor
from rezsl.models.mlp_regressor import MLPRegressor
from rezsl.models.sae import SAE
from rezsl.models.semantic_model import SemanticModel, TrainingOutput
from rezsl.models.smoothed_regressor import SmoothedRegressor

__all__ = [
    "DAP",
    "ESZSL",
    "SAE",
    "AttentionNet",
    "Bilinear",
    "ClosedForm",
    "GEMNet",
    "GroupedModel",
    "LinearRegressor",
    "MLPRegressor",
    "SemanticModel",
    "SmoothedRegressor",
    "TrainingOutput",
]
