"""The input stage of feature benchmarks: features centred and brought to one scale."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.errors import DataError
from rezsl.functional.shapes import Pooled, Regions
from rezsl.regions.backbone import Backbone

MOST_NUMBERS = 1 << 28


class FeatureScaler(Backbone):
    """(F − mean) / deviation with the figures of the training images: a mean per dimension, one deviation for all.

    One deviation keeps the dimensions' relative spread, which principal components and activations of a network carry
    as information; on validation classes of AwA it does better than a deviation for each.

    Args:
        mean: ``[D]``.
        deviation: root mean square of the centred features, a positive scalar.
        regions: what made the features, as JSON, where that is known: a classifier that is saved with its scaler can
            say which backbone its regions must come from.
    """

    mean: Float[Tensor, "D"]
    deviation: Float[Tensor, ""]

    def __init__(
        self, mean: Float[Tensor, "D"], deviation: Float[Tensor, ""], regions: dict[str, Any] | None = None
    ) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)
        self.regions = regions

    @classmethod
    def of(
        cls, features: Pooled, index: Int[Tensor, "K"] | None = None, regions: dict[str, Any] | None = None
    ) -> "FeatureScaler":
        """The scaler of the given training features; features that are all alike are only centred.

        Its figures are exact up to 2²⁸ numbers (a gibibyte of float32). Of more, which are a file of regions, they are
        estimated from as many rows as have that many numbers, spread evenly over ``index``: the file is not read whole.

        Args:
            features: ``[N, D]`` or regions ``[N, R, D]``.
            index: the rows of training images; None takes all.
            regions: what made the features.
        """
        index = torch.arange(len(features)) if index is None else index
        most = max(1, MOST_NUMBERS // features[0].numel())
        if len(index) > most:
            index = index[torch.linspace(0, len(index) - 1, most, dtype=torch.float64).round().long()]
        # Summed in slices: a float64 copy of a large feature file would double what it takes in memory.
        parts = index.split(max(1, 8192 * features.shape[-1] // features[0].numel()))
        count = len(index) * features[0].numel() // features.shape[-1]

        def rows(part: Tensor) -> Tensor:
            return features.index_select(0, part).flatten(0, -2).double()

        mean = torch.stack([rows(part).sum(dim=0) for part in parts]).sum(dim=0) / count
        squares = torch.stack([(rows(part) - mean).square().sum() for part in parts])
        deviation = (squares.sum() / (count * features.shape[-1])).sqrt()
        deviation = torch.where(deviation > 1e-6 * mean.abs().max(), deviation, 1.0)
        return cls(mean.float(), deviation.float(), regions)

    @property
    def region_dim(self) -> int:
        """D, dimensions of a feature vector."""
        return len(self.mean)

    def specification(self) -> dict[str, Any]:
        """The number of dimensions, and what made the regions where that is known."""
        return {"region_dim": self.region_dim, **({"regions": self.regions} if self.regions is not None else {})}

    @classmethod
    def restore(cls, specification: dict[str, Any]) -> "FeatureScaler":
        """A scaler whose figures come with the ``state_dict``."""
        dim = specification["region_dim"]
        return cls(torch.zeros(dim), torch.ones(()), specification.get("regions"))

    def forward(self, inputs: Pooled) -> Regions:
        """Scale features ``[B, D]`` (one region each) or regions ``[B, R, D]``."""
        if inputs.shape[-1] != self.region_dim:
            raise DataError(f"inputs: expected features of {self.region_dim} dimensions, got {inputs.shape[-1]}")
        scaled = (inputs.to(self.mean.dtype) - self.mean) / self.deviation
        return scaled.unsqueeze(1) if scaled.ndim == 2 else scaled
