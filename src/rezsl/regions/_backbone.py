"""The base class of all backbones, the registry of their builders, and the backbone of features."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rezsl.errors import DataError
from rezsl.functional.shapes import Pooled, Regions
from rezsl.functional.statistics import spread
from rezsl.records import Recorded

MOST_NUMBERS = 1 << 28

Builder = TypeVar("Builder", bound=Callable[..., "Backbone"])

BACKBONES: dict[str, Callable[..., Any]] = {}
"""Every builder of image backbones by its name on the command line, ``--backbone NAME``."""


def backbone_builder(name: str) -> Callable[[Builder], Builder]:
    """Register the decorated function in :data:`BACKBONES`.

    Its first two parameters are ``channels`` of the images and their ``natural_size`` in pixels; all others are options
    with values that JSON can hold. It returns an :class:`ImageBackbone`.
    """

    def register(builder: Builder) -> Builder:
        BACKBONES[name] = builder
        return builder

    return register


class Backbone(nn.Module, Recorded, ABC):
    """Turns inputs into regions ``[B, R, D]``.

    The constructor's arguments are values of JSON. With them and the ``state_dict`` a saved model makes an equal
    backbone, so its preprocessing is saved too.
    """

    @property
    @abstractmethod
    def region_dim(self) -> int:
        """D, the number of channels of a region."""

    @abstractmethod
    def forward(self, inputs: Tensor) -> Regions:
        """Return the regions of a batch of inputs, ``[B, R, D]``."""

    def describe(self, inputs: Tensor) -> tuple[Regions, Float[Tensor, "B F"]]:
        """Return the regions, and F numbers per input that show whether it is of the kind of the training images.

        These features are the mean of the regions, as they were before a scaler changed them.
        """
        regions = self(inputs)
        return regions, self.unscaled(regions).mean(dim=1)

    def unscaled(self, regions: Regions) -> Regions:
        """Return regions of :meth:`forward` as they were before a scaler changed them, ``[B, R, D]``."""
        return regions


class FeatureScaler(Backbone):
    """(F − mean) / deviation of features F, with a mean for each dimension and one deviation for all, or one for each.

    One deviation keeps the relative spread of the dimensions, which is information where they are principal components
    or activations of a network. On validation classes of AwA it gives better results than a deviation for each. Pooled
    regions need one for each, because the maxima of a map are several times larger than its means.

    A new scaler changes nothing; :meth:`from_features` makes one with the mean and deviation of training features.
    Both are in the ``state_dict``.

    Args:
        region_dim: D, the number of dimensions of a feature vector.
        regions: the backbone that computed the features and their dtype, as JSON, where these are known. A saved
            classifier thus records which backbone its regions must come from.
        per_channel: use a deviation for each dimension.
    """

    mean: Float[Tensor, "D"]
    deviation: Float[Tensor, "..."]

    def __init__(self, region_dim: int, regions: dict[str, Any] | None = None, per_channel: bool = False) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(region_dim))
        self.register_buffer("deviation", torch.ones(region_dim if per_channel else ()))
        self.regions = regions

    @classmethod
    def from_features(
        cls,
        features: Pooled,
        index: Int[Tensor, "K"] | None = None,
        regions: dict[str, Any] | None = None,
        per_channel: bool = False,
    ) -> "FeatureScaler":
        """Return the scaler of training features; features that are all equal are only centered.

        A deviation for each dimension is at least a hundredth of the deviation over all dimensions, so that a channel
        that training images do not excite does not outweigh all others in an image that does.

        Its numbers are exact for up to 2²⁸ numbers (a gibibyte of float32). For larger files of regions they are
        estimated from as many rows as have that many numbers, spread evenly over ``index``, so that such a file need
        not be read completely.

        Args:
            features: ``[N, D]``, or regions ``[N, R, D]``.
            index: the rows of training images; None takes all.
            regions: see the class.
            per_channel: see the class.
        """
        index = torch.arange(len(features)) if index is None else index
        most = max(1, MOST_NUMBERS // features[0].numel())
        index = spread(index, most)
        # The sums are taken over slices, because a float64 copy of a large feature file would double its memory.
        parts = index.split(max(1, 8192 * features.shape[-1] // features[0].numel()))
        count = len(index) * features[0].numel() // features.shape[-1]

        def rows(part: Tensor) -> Tensor:
            return features.index_select(0, part).flatten(0, -2).double()

        mean = torch.stack([rows(part).sum(dim=0) for part in parts]).sum(dim=0) / count
        squares = torch.stack([(rows(part) - mean).square().sum() for part in parts])
        deviation = (squares.sum() / (count * features.shape[-1])).sqrt()
        deviation = torch.where(deviation > 1e-6 * mean.abs().max(), deviation, 1.0)
        if per_channel:
            each = torch.stack([(rows(part) - mean).square().sum(dim=0) for part in parts]).sum(dim=0) / count
            deviation = each.sqrt().clamp(min=0.01 * deviation)
        scaler = cls(features.shape[-1], regions, per_channel)
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

    def unscaled(self, regions: Regions) -> Regions:
        """Return features before scaling, ``[B, R, D]``."""
        return regions * self.deviation + self.mean
