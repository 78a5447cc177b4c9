"""A linear read-out of the mean region."""

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from rezsl.functional.shapes import Pooled, Predictions
from rezsl.models.semantic_model import SemanticModel, pool


class LinearRegressor(SemanticModel):
    """Â = W · mean_r F_r + b: the paper's BasicNet with pooled regions and a linear read-out.

    Args:
        region_dim: D, channels of a region or of a feature vector.
        num_semantics: S.
    """

    def __init__(self, region_dim: int, num_semantics: int) -> None:
        super().__init__()
        self.readout = nn.Linear(region_dim, num_semantics)

    @classmethod
    def build(cls, region_dim: int, word_vectors: Float[Tensor, "S L"]) -> "LinearRegressor":
        """A new network; there are no options."""
        return cls(region_dim, len(word_vectors))

    def architecture(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"region_dim": self.readout.in_features, "num_semantics": self.readout.out_features}

    def readout_parameters(self) -> list[nn.Parameter]:
        """The whole network."""
        return [*self.readout.parameters()]

    def forward(self, regions: Pooled) -> Predictions:
        """Predict semantics, ``[B, R, D]`` or ``[B, D] -> [B, S]``."""
        prediction: Tensor = self.readout(pool(regions))
        return prediction
