"""Scaling of features, alone or after an image backbone."""

from typing import Any

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor

from rezsl.errors import DataError
from rezsl.functional.shapes import Pooled, Regions
from rezsl.regions._backbone import Backbone
from rezsl.regions.image_backbone import ImageBackbone

MOST_NUMBERS = 1 << 28


class FeatureScaler(Backbone):
    """(F − mean) / deviation of features F, with a mean for each dimension and one deviation for all dimensions.

    One deviation keeps the relative spread of the dimensions, which is information where they are principal components
    or activations of a network. On validation classes of AwA it gives better results than a deviation for each.

    A new scaler changes nothing; :meth:`from_features` makes one with the mean and deviation of training features.
    Both are in the ``state_dict``.

    Args:
        region_dim: D, the number of dimensions of a feature vector.
        regions: the backbone that computed the features and their dtype, as JSON, where these are known. A saved
            classifier thus records which backbone its regions must come from.
    """

    mean: Float[Tensor, "D"]
    deviation: Float[Tensor, ""]

    def __init__(self, region_dim: int, regions: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(region_dim))
        self.register_buffer("deviation", torch.ones(()))
        self.regions = regions

    @classmethod
    def from_features(
        cls, features: Pooled, index: Int[Tensor, "K"] | None = None, regions: dict[str, Any] | None = None
    ) -> "FeatureScaler":
        """Return the scaler of training features; features that are all equal are only centred.

        Its numbers are exact for up to 2²⁸ numbers (a gibibyte of float32). For larger files of regions they are
        estimated from as many rows as have that many numbers, spread evenly over ``index``, so that such a file need
        not be read completely.

        Args:
            features: ``[N, D]``, or regions ``[N, R, D]``.
            index: the rows of training images; None takes all.
            regions: see the class.
        """
        index = torch.arange(len(features)) if index is None else index
        most = max(1, MOST_NUMBERS // features[0].numel())
        if len(index) > most:
            index = index[torch.linspace(0, len(index) - 1, most, dtype=torch.float64).round().long()]
        # The sums are taken over slices, because a float64 copy of a large feature file would double its memory.
        parts = index.split(max(1, 8192 * features.shape[-1] // features[0].numel()))
        count = len(index) * features[0].numel() // features.shape[-1]

        def rows(part: Tensor) -> Tensor:
            return features.index_select(0, part).flatten(0, -2).double()

        mean = torch.stack([rows(part).sum(dim=0) for part in parts]).sum(dim=0) / count
        squares = torch.stack([(rows(part) - mean).square().sum() for part in parts])
        deviation = (squares.sum() / (count * features.shape[-1])).sqrt()
        deviation = torch.where(deviation > 1e-6 * mean.abs().max(), deviation, 1.0)
        scaler = cls(features.shape[-1], regions)
        scaler.load_state_dict({"mean": mean, "deviation": deviation})
        return scaler

    @property
    def region_dim(self) -> int:
        """D, the number of dimensions of a feature vector."""
        return len(self.mean)

    def forward(self, inputs: Pooled) -> Regions:
        """Scale features ``[B, D]``, each of which becomes one region, or regions ``[B, R, D]``.

        Raises:
            DataError: the features have another number of dimensions.
        """
        if inputs.shape[-1] != self.region_dim:
            raise DataError(
                f"inputs: expected features of {self.region_dim} dimensions, got {inputs.shape[-1]}; use the features "
                f"that the model was trained on"
            )
        scaled = (inputs.to(self.mean.dtype) - self.mean) / self.deviation
        return scaled.unsqueeze(1) if scaled.ndim == 2 else scaled


class ScaledImageBackbone(ImageBackbone):
    """An image backbone whose regions are rounded and scaled, as those of a store were before a model was trained.

    Args:
        config: configuration of the network, as for :class:`ImageBackbone`.
        scaler: arguments of the :class:`FeatureScaler`.
        dtype: the type to which regions are rounded, ``float16`` or ``bfloat16``.
        options: further arguments of :class:`ImageBackbone`.
    """

    def __init__(self, config: dict[str, Any], scaler: dict[str, Any], dtype: str, **options: Any) -> None:
        super().__init__(config, **options)
        self.scaler, self.dtype = FeatureScaler(**scaler), dtype

    @classmethod
    def join(cls, backbone: ImageBackbone, scaler: FeatureScaler, dtype: str) -> "ScaledImageBackbone":
        """Return copies of a backbone and a scaler, one applied after the other."""
        joined = cls(scaler=scaler.arguments, dtype=dtype, **backbone.arguments)
        joined.network.load_state_dict(backbone.network.state_dict())
        joined.scaler.load_state_dict(scaler.state_dict())
        joined.train(backbone.training)
        return joined

    def forward(self, inputs: Num[Tensor, "B channels height width"]) -> Regions:
        """Return scaled regions ``[B, R, D]`` of uint8 images, or of floating-point images in ``[0, 1]``."""
        rounded = super().forward(inputs).to(getattr(torch, self.dtype))
        regions: Tensor = self.scaler(rounded)
        return regions
