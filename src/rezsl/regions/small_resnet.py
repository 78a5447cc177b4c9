"""The backbone of small images: a residual network that is trained from scratch."""

import math

from rezsl.errors import check_at_least
from rezsl.regions._backbone import backbone_builder
from rezsl.regions.image_backbone import ImageBackbone


@backbone_builder("small_resnet")
def small_resnet(
    channels: int, natural_size: int, image_size: int | None = None, width: int = 32, depth: int = 1
) -> ImageBackbone:
    """Return a residual network for small images, with random weights.

    It halves the resolution until 4 to 7 regions remain on a side, and doubles its channels with each halving. Images
    of fewer than 16 pixels are enlarged and halved once: after a second halving every region would depend on the whole
    image, so that it would carry the class rather than what is visible at its place.

    Args:
        channels: 3 for RGB, 1 for greyscale.
        natural_size: height and width of the images at hand, in pixels.
        image_size: height and width to which they are scaled, at least 8; None takes their own size within 16 to 64.
            Smaller images are enlarged, so that augmentation can move them by less than a pixel.
        width: channels of the first stage, at least 2.
        depth: residual blocks (of two convolutions) per stage, at least 1.

    Raises:
        ArgumentError: a number is too small.
    """
    size = min(64, max(16, natural_size)) if image_size is None else image_size
    check_at_least(8, image_size=size)
    check_at_least(2, width=width)
    check_at_least(1, depth=depth)
    halvings = int(math.log2(size / 4))
    if natural_size < 16 and halvings > 1:
        hidden_sizes, embedding = [2 * width], width
    else:
        # The smallest images keep a stage at full resolution, because a network of one stage recognises no shapes.
        hidden_sizes = [width * 2**stage for stage in range(max(2, halvings))]
        embedding = width // 2 if len(hidden_sizes) == halvings else width
    config = {
        "model_type": "resnet",
        "num_channels": channels,
        "embedding_size": embedding,
        "hidden_sizes": hidden_sizes,
        "depths": [depth] * len(hidden_sizes),
        "layer_type": "basic",
        "downsample_in_first_stage": embedding != width or len(hidden_sizes) == 1,
    }
    backbone = ImageBackbone(config, size, small_stem=True, unit_regions=True)
    backbone.source = "small_resnet (random weights)"
    return backbone
