"""The input stage of feature benchmarks: every dimension to mean 0 and standard deviation 1."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.backbones.backbone import Backbone
from rezsl.errors import DataError
from rezsl.typing import Pooled, Regions


class FeatureScaler(Backbone):
    """(F − mean) / standard deviation per dimension, with the figures of the training images.

    Args:
        mean: ``[D]``.
        deviation: ``[D]``, positive.
    """

    mean: Float[Tensor, "D"]
    deviation: Float[Tensor, "D"]

    def __init__(self, mean: Float[Tensor, "D"], deviation: Float[Tensor, "D"]) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)

    @classmethod
    def of(cls, features: Pooled) -> "FeatureScaler":
        """The scaler of the given training features; a constant dimension is centred and left at its scale."""
        rows = features.flatten(0, -2)
        # Summed in slices: a float64 copy of a large feature file would double what it takes in memory.
        parts = rows.split(8192)
        mean = torch.stack([part.double().sum(dim=0) for part in parts]).sum(dim=0) / len(rows)
        squares = torch.stack([(part.double() - mean).square().sum(dim=0) for part in parts])
        deviation = (squares.sum(dim=0) / len(rows)).sqrt()
        return cls(mean.float(), torch.where(deviation > 1e-6 * mean.abs(), deviation, 1.0).float())

    @property
    def region_dim(self) -> int:
        """D, dimensions of a feature vector."""
        return len(self.mean)

    def specification(self) -> dict[str, Any]:
        """The number of dimensions."""
        return {"region_dim": self.region_dim}

    @classmethod
    def restore(cls, specification: dict[str, Any]) -> "FeatureScaler":
        """A scaler whose figures come with the ``state_dict``."""
        dim = specification["region_dim"]
        return cls(torch.zeros(dim), torch.ones(dim))

    def forward(self, inputs: Pooled) -> Regions:
        """Scale features ``[B, D]`` (one region each) or regions ``[B, R, D]``."""
        if inputs.shape[-1] != self.region_dim:
            raise DataError(f"inputs: expected features of {self.region_dim} dimensions, got {inputs.shape[-1]}")
        scaled = (inputs.to(self.mean.dtype) - self.mean) / self.deviation
        return scaled.unsqueeze(1) if scaled.ndim == 2 else scaled
