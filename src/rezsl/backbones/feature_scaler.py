"""The input stage of feature benchmarks: features centred and brought to one scale."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.backbones.backbone import Backbone
from rezsl.errors import DataError
from rezsl.typing import Pooled, Regions


class FeatureScaler(Backbone):
    """(F − mean) / deviation with the figures of the training images: a mean per dimension, one deviation for all.

    One deviation keeps the dimensions' relative spread, which principal components and activations of a network carry
    as information; on validation classes of AwA it does better than a deviation for each.

    Args:
        mean: ``[D]``.
        deviation: root mean square of the centred features, a positive scalar.
    """

    mean: Float[Tensor, "D"]
    deviation: Float[Tensor, ""]

    def __init__(self, mean: Float[Tensor, "D"], deviation: Float[Tensor, ""]) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)

    @classmethod
    def of(cls, features: Pooled) -> "FeatureScaler":
        """The scaler of the given training features; features that are all alike are only centred."""
        rows = features.flatten(0, -2)
        # Summed in slices: a float64 copy of a large feature file would double what it takes in memory.
        parts = rows.split(8192)
        mean = torch.stack([part.double().sum(dim=0) for part in parts]).sum(dim=0) / len(rows)
        squares = torch.stack([(part.double() - mean).square().sum() for part in parts])
        deviation = (squares.sum() / rows.numel()).sqrt()
        return cls(mean.float(), torch.where(deviation > 1e-6 * mean.abs().max(), deviation, 1.0).float())

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
        return cls(torch.zeros(dim), torch.ones(()))

    def forward(self, inputs: Pooled) -> Regions:
        """Scale features ``[B, D]`` (one region each) or regions ``[B, R, D]``."""
        if inputs.shape[-1] != self.region_dim:
            raise DataError(f"inputs: expected features of {self.region_dim} dimensions, got {inputs.shape[-1]}")
        scaled = (inputs.to(self.mean.dtype) - self.mean) / self.deviation
        return scaled.unsqueeze(1) if scaled.ndim == 2 else scaled
