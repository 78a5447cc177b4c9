"""Architectures from regions to semantics, one per file."""

from rezsl.models.attention_net import AttentionNet
from rezsl.models.closed_form import ClosedForm
from rezsl.models.linear_regressor import LinearRegressor
from rezsl.models.mlp_regressor import MLPRegressor
from rezsl.models.semantic_model import SemanticModel, TrainingOutput

__all__ = ["AttentionNet", "ClosedForm", "LinearRegressor", "MLPRegressor", "SemanticModel", "TrainingOutput"]
