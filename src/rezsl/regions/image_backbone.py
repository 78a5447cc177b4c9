"""Images to regions, through any vision architecture of transformers."""

import inspect
import math
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Num
from torch import Tensor, nn

from rezsl.errors import ArgumentError, DataError
from rezsl.functional.shapes import Regions
from rezsl.regions.backbone import Backbone
from rezsl.regions.recomputation import blocks, recomputed_blocks

if TYPE_CHECKING:
    from transformers import PretrainedConfig


class ImageBackbone(Backbone):
    """A network of transformers, built from its configuration with random weights.

    Convolutional networks give the cells of their last feature map as regions. Transformers give their last layer's
    class token and patches (register tokens, which belong to no place in the image, are left out); position embeddings
    are interpolated where images are of another size than the configuration says.

    Args:
        config: a transformers configuration whose model returns a map ``[B, D, height, width]`` or tokens
            ``[B, T, D]``.
        image_size: height and width of the images it sees, in pixels.
        resize: what the shorter side of a photo is scaled to before ``image_size`` pixels of it are cropped; None
            crops the largest square. The paper trains and tests with 8/7 of ``image_size``.
        mean: of each channel, subtracted from pixels in ``[0, 1]``.
        deviation: of each channel, that they are divided by.
        small_stem: replace the ImageNet stem of a ResNet (7 × 7 convolution of stride 2 and pooling: a quarter of the
            resolution is gone before the first block) by a 3 × 3 convolution of stride 1, for images of few pixels.
        unit_regions: divide an image's regions by their root mean square length. Without it the attention's logits
            grow with the activations: trained from scratch, its softmax saturates within a few epochs.
    """

    mean: Float[Tensor, "channels 1 1"]
    deviation: Float[Tensor, "channels 1 1"]

    def __init__(
        self,
        config: "PretrainedConfig",
        image_size: int,
        resize: int | None = None,
        mean: Sequence[float] = (0.5,),
        deviation: Sequence[float] = (0.25,),
        small_stem: bool = False,
        unit_regions: bool = False,
    ) -> None:
        from transformers import AutoModel  # noqa: PLC0415 - three seconds of import that features never need

        super().__init__()
        if image_size < 4:
            raise ArgumentError(f"image_size: expected at least 4 pixels, got {image_size}")
        if resize is not None and resize < image_size:
            raise ArgumentError(f"resize: expected at least image_size, {image_size} pixels, got {resize}")
        self.config, self.image_size, self.resize = config, image_size, resize
        self.small_stem, self.unit_regions = small_stem, unit_regions
        # Plain colours of the preprocessing, kept with its description and not with the weights.
        for name, colours in (("mean", mean), ("deviation", deviation)):
            values = torch.tensor([*colours] * (self.channels if len(colours) == 1 else 1)).view(-1, 1, 1)
            if len(values) != self.channels:
                raise ArgumentError(f"{name}: expected a number per channel, {self.channels}, got {len(values)}")
            self.register_buffer(name, values, persistent=False)
        self.network: nn.Module = AutoModel.from_config(config)
        if small_stem:
            _replace_stem(self.network, config)
        # Convolutions of small images run a quarter faster with the channels of a pixel side by side.
        self.network.to(memory_format=torch.channels_last)
        accepted = inspect.signature(self.network.forward).parameters
        self._interpolates = "interpolate_pos_encoding" in accepted
        self._frozen = self._recomputing = False

    @property
    def channels(self) -> int:
        """3 for RGB, 1 for greyscale."""
        return int(self.config.num_channels)

    @property
    def region_dim(self) -> int:
        """D, channels of the last stage or layer."""
        if hasattr(self.config, "hidden_sizes"):
            return int(self.config.hidden_sizes[-1])
        return int(self.config.hidden_size)

    def grid(self, regions: int) -> tuple[int, int]:
        """Where R regions lie: how many come before the image's cells (class tokens), and the cells on a side."""
        patch = getattr(self.config, "patch_size", None)
        side = self.image_size // patch if isinstance(patch, int) and _gives_tokens(self.config) else 0
        side = side if 0 < side**2 <= regions else math.isqrt(regions)
        return regions - side**2, side

    def freeze(self, frozen: bool = True) -> None:
        """Stop learning, or go on with it.

        A frozen network is in evaluation mode whatever the mode of the model around it: statistics of batch
        normalisation stay as they are, dropout is off.
        """
        self._frozen = frozen
        self.network.requires_grad_(not frozen)
        self.train(self.training)

    def recompute(self, recomputing: bool = True) -> None:
        """In training keep what enters each block of the network, and compute the rest again for its gradients; or not.

        Raises:
            ArgumentError: an architecture whose blocks are not known.
        """
        if recomputing:
            blocks(self.network)
        self._recomputing = recomputing

    def train(self, mode: bool = True) -> "ImageBackbone":
        """Switch between training and evaluation; the network of a frozen backbone stays in evaluation."""
        super().train(mode)
        self.network.train(mode and not self._frozen)
        return self

    def specification(self) -> dict[str, Any]:
        """The configuration of the network and the image format."""
        config = self.config.to_diff_dict() | {"model_type": self.config.model_type}
        return {
            "config": config,
            "image_size": self.image_size,
            "resize": self.resize,
            "mean": self.mean.flatten().tolist(),
            "deviation": self.deviation.flatten().tolist(),
            "small_stem": self.small_stem,
            "unit_regions": self.unit_regions,
        }

    @classmethod
    def restore(cls, specification: dict[str, Any]) -> "ImageBackbone":
        """A network of the same shape with random weights."""
        from transformers import AutoConfig  # noqa: PLC0415 - as above

        config = dict(specification["config"])
        kind = AutoConfig.for_model(config.pop("model_type"), **config)
        return cls(kind, **{name: value for name, value in specification.items() if name != "config"})

    def forward(self, inputs: Num[Tensor, "B channels height width"]) -> Regions:
        """Regions ``[B, R, D]`` of uint8 images, or of floating-point ones in ``[0, 1]``."""
        if inputs.shape[1] != self.channels:
            raise DataError(f"inputs: expected images with {self.channels} channels, got {inputs.shape[1]}")
        images = inputs if inputs.is_floating_point() else inputs.float() / 255
        options = {"interpolate_pos_encoding": True} if self._interpolates else {}
        images = ((images - self.mean) / self.deviation).contiguous(memory_format=torch.channels_last)
        learns = self.training and not self._frozen and torch.is_grad_enabled()
        with recomputed_blocks(self.network) if self._recomputing and learns else nullcontext():
            regions = self._in_a_row(self.network(images, **options).last_hidden_state)
        if self.unit_regions:
            length = regions.square().sum(dim=2, keepdim=True).mean(dim=1, keepdim=True).sqrt()
            regions = regions / (length + 1e-6)
        return regions

    def _in_a_row(self, output: Tensor) -> Tensor:
        if output.ndim == 4:
            return output.flatten(2).mT
        registers = getattr(self.config, "num_register_tokens", 0)
        return torch.cat([output[:, :1], output[:, 1 + registers :]], dim=1) if registers else output


def _gives_tokens(config: "PretrainedConfig") -> bool:
    return not hasattr(config, "hidden_sizes")


def _replace_stem(network: Any, config: "PretrainedConfig") -> None:
    if config.model_type != "resnet":
        raise ArgumentError(f"small_stem: expected a ResNet, got {config.model_type!r}, whose stem is its own")
    stem = nn.Conv2d(config.num_channels, config.embedding_size, kernel_size=3, padding=1, bias=False)
    nn.init.kaiming_normal_(stem.weight, mode="fan_out", nonlinearity="relu")
    network.embedder.embedder.convolution = stem
    network.embedder.pooler = nn.Identity()
