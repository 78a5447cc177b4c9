"""A read-out of the mean region with one hidden layer."""

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from rezsl.errors import ArgumentError
from rezsl.functional.shapes import Pooled, Predictions
from rezsl.models.semantic_model import SemanticModel, pool


class MLPRegressor(SemanticModel):
    """Â = W₂ · dropout(relu(W₁ · mean_r F_r + b₁)) + b₂: BasicNet with a hidden layer.

    Args:
        region_dim: D, channels of a region or of a feature vector.
        num_semantics: S.
        hidden_dim: width of the hidden layer.
        dropout: share of hidden units switched off in training, in ``[0, 1)``.
    """

    def __init__(self, region_dim: int, num_semantics: int, hidden_dim: int = 1024, dropout: float = 0.8) -> None:
        super().__init__()
        if hidden_dim < 1 or not 0 <= dropout < 1:
            raise ArgumentError(
                f"hidden_dim and dropout: expected at least 1 and a share in [0, 1), got {hidden_dim} and {dropout}"
            )
        self.hidden = nn.Linear(region_dim, hidden_dim)
        self.dropout = nn.Dropout(dropout)
        self.readout = nn.Linear(hidden_dim, num_semantics)

    @classmethod
    def build(
        cls, region_dim: int, word_vectors: Float[Tensor, "S L"], hidden_dim: int = 1024, dropout: float = 0.8
    ) -> "MLPRegressor":
        """A new network.

        Args:
            region_dim: D.
            word_vectors: one row per semantic.
            hidden_dim: width of the hidden layer.
            dropout: share of hidden units switched off in training, in ``[0, 1)``.
        """
        return cls(region_dim, len(word_vectors), hidden_dim, dropout)

    def architecture(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "region_dim": self.hidden.in_features,
            "num_semantics": self.readout.out_features,
            "hidden_dim": self.hidden.out_features,
            "dropout": self.dropout.p,
        }

    def readout_parameters(self) -> list[nn.Parameter]:
        """The last layer."""
        return [*self.readout.parameters()]

    def forward(self, regions: Pooled) -> Predictions:
        """Predict semantics, ``[B, R, D]`` or ``[B, D] -> [B, S]``."""
        prediction: Tensor = self.readout(self.dropout(self.hidden(pool(regions)).relu()))
        return prediction
