"""The backbone of small images: a residual network trained from scratch."""

import math

from rezsl.backbones.image_backbone import ImageBackbone
from rezsl.errors import ArgumentError


def small_resnet(
    channels: int, natural_size: int, image_size: int | None = None, width: int = 32, depth: int = 1
) -> ImageBackbone:
    """A residual network for small images, trained from scratch.

    It halves the resolution until 4 to 7 regions remain on a side, and doubles its channels with each halving.

    Args:
        channels: 3 for RGB, 1 for greyscale.
        natural_size: height and width of the images at hand, in pixels.
        image_size: height and width at which they are seen, 8 or more; None takes their own, but 16 to 64. Smaller
            ones are enlarged, so that augmentation can move them by less than a pixel.
        width: channels of the first stage.
        depth: residual blocks (of two convolutions) per stage.
    """
    from transformers import ResNetConfig  # noqa: PLC0415 - three seconds of import that features never need

    size = min(64, max(16, natural_size)) if image_size is None else image_size
    if size < 8 or width < 2 or depth < 1:
        raise ArgumentError(f"image_size, width, depth: expected at least 8, 2 and 1, got {size}, {width} and {depth}")
    halvings = int(math.log2(size / 4))
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
    return ImageBackbone(config, size, small_stem=True, unit_regions=True)
