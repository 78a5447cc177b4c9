"""Images for a model that was trained on regions which were extracted, rounded and scaled beforehand."""

from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Num
from torch import Tensor

from rezsl.functional.shapes import Regions
from rezsl.regions.feature_scaler import FeatureScaler
from rezsl.regions.image_backbone import ImageBackbone

if TYPE_CHECKING:
    from transformers import PretrainedConfig


class ScaledImageBackbone(ImageBackbone):
    """An image backbone, then what its regions went through before a model was trained on them.

    Args:
        config: of the network, as for :class:`ImageBackbone`.
        scaler: specification of the scaler.
        dtype: what regions were rounded to, ``float16`` or ``bfloat16``.
        options: further arguments of :class:`ImageBackbone`.
    """

    def __init__(self, config: "PretrainedConfig", scaler: dict[str, Any], dtype: str, **options: Any) -> None:
        super().__init__(config, **options)
        self.scaler, self.dtype = FeatureScaler.restore(scaler), dtype

    @classmethod
    def of(cls, backbone: ImageBackbone, scaler: FeatureScaler, dtype: str) -> "ScaledImageBackbone":
        """Copies of both, one after the other."""
        joined = cls.restore(backbone.specification() | {"scaler": scaler.specification(), "dtype": dtype})
        assert isinstance(joined, cls)
        joined.network.load_state_dict(backbone.network.state_dict())
        joined.scaler.load_state_dict(scaler.state_dict())
        joined.train(backbone.training)
        return joined

    def specification(self) -> dict[str, Any]:
        """That of the backbone, of the scaler, and the type in between."""
        return super().specification() | {"scaler": self.scaler.specification(), "dtype": self.dtype}

    def forward(self, inputs: Num[Tensor, "B channels height width"]) -> Regions:
        """Scaled regions ``[B, R, D]`` of uint8 images, or of floating-point ones in ``[0, 1]``."""
        rounded = super().forward(inputs).to(getattr(torch, self.dtype))
        regions: Tensor = self.scaler(rounded)
        return regions
