"""A read-out of the mean region with one hidden layer."""

from jaxtyping import Float
from torch import Tensor, nn

from rezsl.models.semantic_model import SemanticModel, pool
from rezsl.typing import Pooled, Predictions


class MLPRegressor(SemanticModel):
    """Â = W₂ · dropout(relu(W₁ · mean_r F_r + b₁)) + b₂.

    Args:
        region_dim: D, channels of a region or of a feature vector.
        num_semantics: S.
        hidden_dim: width of the hidden layer.
        dropout: share of hidden units switched off in training, in ``[0, 1)``.
    """

    def __init__(self, region_dim: int, num_semantics: int, hidden_dim: int = 1024, dropout: float = 0.8) -> None:
        super().__init__()
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

    def architecture(self) -> dict[str, int]:
        """The constructor's sizes; dropout plays no part once training is over."""
        return {
            "region_dim": self.hidden.in_features,
            "num_semantics": self.readout.out_features,
            "hidden_dim": self.hidden.out_features,
        }

    def forward(self, regions: Pooled) -> Predictions:
        """Predict semantics, ``[B, R, D]`` or ``[B, D] -> [B, S]``."""
        prediction: Tensor = self.readout(self.dropout(self.hidden(pool(regions)).relu()))
        return prediction
