"""The backbone of small images: a residual network trained from scratch."""

import math

from rezsl.errors import ArgumentError
from rezsl.regions.image_backbone import ImageBackbone


def small_resnet(
    channels: int, natural_size: int, image_size: int | None = None, width: int = 32, depth: int = 1
) -> ImageBackbone:
    """A residual network for small images, trained from scratch.

    It halves the resolution until 4 to 7 regions remain on a side, and doubles its channels with each halving. Images
    of fewer than 16 pixels, enlarged, are halved once: after a second halving every region sees the whole image, and
    what it tells of a semantic is then the class and not what there is to see.

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
    if natural_size < 16 and halvings > 1:
        hidden_sizes, embedding = [2 * width], width
    else:
        # The smallest images keep a stage at full resolution: two stages are the least that sees shapes.
        hidden_sizes = [width * 2**stage for stage in range(max(2, halvings))]
        embedding = width // 2 if len(hidden_sizes) == halvings else width
    config = ResNetConfig(
        num_channels=channels,
        embedding_size=embedding,
        hidden_sizes=hidden_sizes,
        depths=[depth] * len(hidden_sizes),
        layer_type="basic",
        downsample_in_first_stage=embedding != width or len(hidden_sizes) == 1,
    )
    return ImageBackbone(config, size, small_stem=True, unit_regions=True)
