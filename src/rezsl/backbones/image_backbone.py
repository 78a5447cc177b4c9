"""Images to a map of regions, through any vision architecture of transformers."""

import math
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Num
from torch import Tensor, nn

from rezsl.backbones.backbone import Backbone
from rezsl.errors import ArgumentError, DataError
from rezsl.typing import Regions

if TYPE_CHECKING:
    from transformers import PretrainedConfig


class ImageBackbone(Backbone):
    """A network of transformers that gives a feature map, built from its configuration with random weights.

    Args:
        config: a transformers configuration whose model returns a map ``[B, D, height, width]``.
        image_size: height and width of its images in pixels.
        small_stem: replace the ImageNet stem of a ResNet (7 × 7 convolution of stride 2 and pooling: a quarter of the
            resolution is gone before the first block) by a 3 × 3 convolution of stride 1, for images of few pixels.
        unit_regions: divide an image's regions by their root mean square length. Without it the attention's logits
            grow with the activations: trained from scratch, its softmax saturates within a few epochs.
    """

    def __init__(
        self, config: "PretrainedConfig", image_size: int, small_stem: bool = False, unit_regions: bool = False
    ) -> None:
        from transformers import AutoModel  # noqa: PLC0415 - three seconds of import that features never need

        super().__init__()
        if image_size < 4:
            raise ArgumentError(f"image_size: expected at least 4 pixels, got {image_size}")
        self.config, self.image_size = config, image_size
        self.small_stem, self.unit_regions = small_stem, unit_regions
        self.network: nn.Module = AutoModel.from_config(config)
        if small_stem:
            _replace_stem(self.network, config)
        # Convolutions of small images run a quarter faster with the channels of a pixel side by side.
        self.network.to(memory_format=torch.channels_last)

    @property
    def channels(self) -> int:
        """3 for RGB, 1 for greyscale."""
        return int(self.config.num_channels)

    @property
    def region_dim(self) -> int:
        """D, channels of the last stage."""
        return int(self.config.hidden_sizes[-1])

    def specification(self) -> dict[str, Any]:
        """The configuration of the network and the image format."""
        config = self.config.to_diff_dict() | {"model_type": self.config.model_type}
        return {
            "config": config,
            "image_size": self.image_size,
            "small_stem": self.small_stem,
            "unit_regions": self.unit_regions,
        }

    @classmethod
    def restore(cls, specification: dict[str, Any]) -> "ImageBackbone":
        """A network of the same shape with random weights."""
        from transformers import AutoConfig  # noqa: PLC0415 - as above

        config = dict(specification["config"])
        kind = AutoConfig.for_model(config.pop("model_type"), **config)
        return cls(kind, specification["image_size"], specification["small_stem"], specification["unit_regions"])

    def forward(self, inputs: Num[Tensor, "B channels height width"]) -> Regions:
        """Regions ``[B, R, D]`` of uint8 images, or of floating-point ones in ``[0, 1]``."""
        if inputs.shape[1] != self.channels:
            raise DataError(f"inputs: expected images with {self.channels} channels, got {inputs.shape[1]}")
        images = inputs if inputs.is_floating_point() else inputs.float() / 255
        feature_map = self.network(
            ((images - 0.5) / 0.25).contiguous(memory_format=torch.channels_last)
        ).last_hidden_state
        regions: Tensor = feature_map.flatten(2).mT
        if self.unit_regions:
            length = regions.square().sum(dim=2, keepdim=True).mean(dim=1, keepdim=True).sqrt()
            regions = regions / (length + 1e-6)
        return regions


def small_resnet(channels: int, image_size: int, width: int = 32, depth: int = 1) -> ImageBackbone:
    """A residual network for small images, trained from scratch.

    It halves the resolution until 4 to 7 regions remain on a side, and doubles its channels with each halving.

    Args:
        channels: 3 for RGB, 1 for greyscale.
        image_size: height and width of its images in pixels, 8 or more.
        width: channels of the first stage.
        depth: residual blocks (of two convolutions) per stage.
    """
    from transformers import ResNetConfig  # noqa: PLC0415 - as above

    if image_size < 8 or width < 2 or depth < 1:
        raise ArgumentError(
            f"image_size, width, depth: expected at least 8, 2 and 1, got {image_size}, {width} and {depth}"
        )
    halvings = int(math.log2(image_size / 4))
    # The smallest images keep a stage at full resolution: two stages are the least that sees shapes.
    stages = max(2, halvings)
    config = ResNetConfig(
        num_channels=channels,
        embedding_size=width // 2 if stages == halvings else width,
        hidden_sizes=[width * 2**stage for stage in range(stages)],
        depths=[depth] * stages,
        layer_type="basic",
        downsample_in_first_stage=stages == halvings,
    )
    return ImageBackbone(config, image_size, small_stem=True, unit_regions=True)


def _replace_stem(network: Any, config: "PretrainedConfig") -> None:
    if config.model_type != "resnet":
        raise ArgumentError(f"small_stem: expected a ResNet, got {config.model_type!r}, whose stem is its own")
    stem = nn.Conv2d(config.num_channels, config.embedding_size, kernel_size=3, padding=1, bias=False)
    nn.init.kaiming_normal_(stem.weight, mode="fan_out", nonlinearity="relu")
    network.embedder.embedder.convolution = stem
    network.embedder.pooler = nn.Identity()
