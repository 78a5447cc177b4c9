"""Read-outs of the mean region: linear, or with one hidden layer."""

from torch import Tensor, nn

from rezsl.errors import ArgumentError
from rezsl.functional.shapes import Pooled, Predictions
from rezsl.models._semantic_model import SemanticModel, pool
from rezsl.semantics import ClassSemantics


class LinearRegressor(SemanticModel, name="linear"):
    """Â = W · mean_r F_r + b: the paper's BasicNet with pooled regions and a linear read-out.

    Args:
        region_dim: D, channels of a region or of a feature vector.
        semantics: the table whose S attributes are predicted.
    """

    def __init__(self, region_dim: int, semantics: ClassSemantics) -> None:
        super().__init__()
        self.readout = nn.Linear(region_dim, len(semantics.attributes))

    def readout_parameters(self) -> list[nn.Parameter]:
        """Return all parameters."""
        return [*self.readout.parameters()]

    def forward(self, regions: Pooled) -> Predictions:
        """Predict attributes, ``[B, R, D]`` or ``[B, D] -> [B, S]``."""
        prediction: Tensor = self.readout(pool(regions))
        return prediction


class MLPRegressor(SemanticModel, name="mlp"):
    """Â = W₂ · dropout(relu(W₁ · mean_r F_r + b₁)) + b₂: BasicNet with a hidden layer.

    Args:
        region_dim: D, channels of a region or of a feature vector.
        semantics: the table whose S attributes are predicted.
        hidden_dim: width of the hidden layer, at least 1.
        dropout: share of hidden units that training switches off, in ``[0, 1)``.
    """

    def __init__(
        self, region_dim: int, semantics: ClassSemantics, hidden_dim: int = 1024, dropout: float = 0.8
    ) -> None:
        super().__init__()
        if hidden_dim < 1 or not 0 <= dropout < 1:
            raise ArgumentError(
                f"hidden_dim and dropout: expected at least 1 and a share in [0, 1), got {hidden_dim} and {dropout}"
            )
        self.hidden = nn.Linear(region_dim, hidden_dim)
        self.dropout = nn.Dropout(dropout)
        self.readout = nn.Linear(hidden_dim, len(semantics.attributes))

    def readout_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the last layer."""
        return [*self.readout.parameters()]

    def forward(self, regions: Pooled) -> Predictions:
        """Predict attributes, ``[B, R, D]`` or ``[B, D] -> [B, S]``."""
        prediction: Tensor = self.readout(self.dropout(self.hidden(pool(regions)).relu()))
        return prediction
