"""The backbones that turn images into regions by a vision network of transformers."""

import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from jaxtyping import Float, Num
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from rezsl.errors import ArgumentError, DataError, check_at_least, needs
from rezsl.functional.shapes import Regions
from rezsl.regions._backbone import Backbone, FeatureScaler
from rezsl.regions._small_network import SmallNetwork

if TYPE_CHECKING:
    from transformers import PretrainedConfig

Output = TypeVar("Output")


class ImageBackbone(Backbone):
    """A vision network of transformers, made from its configuration with random weights.

    The regions are the cells of the last feature map of a convolutional network, or the class token and the patches of
    the last layer of a transformer. Register tokens belong to no place in the image and are left out. Position
    embeddings are interpolated where images have another size than the configuration.

    Args:
        config: the configuration as JSON, with its ``model_type``, such as ``ResNetConfig(…).to_dict()``. The network
            must return a map ``[B, D, height, width]`` or tokens ``[B, T, D]``.
        image_size: height and width of the input images in pixels, at least 4.
        resize: length in pixels to which the shorter side of a photo is scaled before ``image_size`` pixels of it are
            cropped, at least ``image_size``; None crops the largest square. The paper uses 8/7 of ``image_size``.
        mean: number that is subtracted from pixels in ``[0, 1]``, for each channel or for all.
        deviation: number that pixels are divided by afterwards, for each channel or for all.
        small_stem: for images of few pixels, begin a ResNet of basic layers with a 3 × 3 convolution of stride 1. The
            usual first layers (a 7 × 7 convolution of stride 2 and pooling) leave a quarter of the resolution. Such a
            network does not need transformers.
        unit_regions: divide the regions of an image by their root mean square length. Otherwise the logits of the
            attention grow with the activations, and when it is trained from scratch, its softmax saturates within a few
            epochs.

    Raises:
        ArgumentError: a size, the number of colours or the architecture does not fit.
        MissingPackageError: transformers is not installed.
    """

    mean: Float[Tensor, "channels 1 1"]
    deviation: Float[Tensor, "channels 1 1"]

    def __init__(
        self,
        config: dict[str, Any],
        image_size: int,
        resize: int | None = None,
        mean: Sequence[float] = (0.5,),
        deviation: Sequence[float] = (0.25,),
        small_stem: bool = False,
        unit_regions: bool = False,
    ) -> None:
        super().__init__()
        check_at_least(4, image_size=image_size)
        if resize is not None:
            check_at_least(image_size, resize=resize)
        network: Any = SmallNetwork(config) if small_stem else _network(config)
        self.config: PretrainedConfig = network.config
        self.image_size, self.resize = image_size, resize
        self.unit_regions = unit_regions
        # The colours are saved with the arguments and not with the weights.
        for name, colours in (("mean", mean), ("deviation", deviation)):
            values = torch.tensor([*colours] * (self.channels if len(colours) == 1 else 1)).view(-1, 1, 1)
            if len(values) != self.channels:
                raise ArgumentError(
                    f"{name}: expected a number per channel, {self.channels}, got {len(values)}; give as many, or one"
                )
            self.register_buffer(name, values, persistent=False)
        self.network: nn.Module = network
        # Convolutions of small images are a quarter faster where the channels of a pixel lie side by side in memory.
        self.network.to(memory_format=torch.channels_last)
        accepted = inspect.signature(self.network.forward).parameters
        self._options = {"interpolate_pos_encoding": True} if "interpolate_pos_encoding" in accepted else {}
        self._gives_map = hasattr(self.config, "hidden_sizes")
        self._frozen = self._recomputing = False

    @property
    def channels(self) -> int:
        """The number of channels of an image: 3 for RGB, 1 for greyscale."""
        return int(self.config.num_channels)

    @property
    def region_dim(self) -> int:
        """D, the number of channels of the last stage or layer."""
        return int(self.config.hidden_sizes[-1] if self._gives_map else self.config.hidden_size)

    def grid(self, regions: int) -> tuple[int, int]:
        """Return how many of R regions come before the cells of the image (class tokens), and the cells on a side."""
        patch = None if self._gives_map else getattr(self.config, "patch_size", None)
        side = self.image_size // patch if isinstance(patch, int) else 0
        side = side if 0 < side**2 <= regions else math.isqrt(regions)
        return regions - side**2, side

    def freeze(self, frozen: bool = True) -> None:
        """Exclude the network's weights from training, or include them again.

        A frozen network stays in evaluation mode in every mode of the model around it, so that the statistics of its
        batch normalisation do not change and its dropout is off.
        """
        self._frozen = frozen
        self.network.requires_grad_(not frozen)
        self.train(self.training)

    def recompute(self, recomputing: bool = True) -> None:
        """In training, store only the input of each block of the network, and compute its activations twice.

        Raises:
            ArgumentError: the blocks of this architecture are not known.
        """
        if recomputing:
            blocks(self.network)
        self._recomputing = recomputing

    def train(self, mode: bool = True) -> "ImageBackbone":
        """Switch between training and evaluation mode; a frozen network stays in evaluation mode."""
        super().train(mode)
        self.network.train(mode and not self._frozen)
        return self

    def forward(self, inputs: Num[Tensor, "B channels height width"]) -> Regions:
        """Return the regions ``[B, R, D]`` of uint8 images, or of floating-point images in ``[0, 1]``.

        Raises:
            DataError: the images have another number of channels.
        """
        if inputs.shape[1] != self.channels:
            raise DataError(
                f"inputs: expected images with {self.channels} channels, got {inputs.shape[1]}; convert the images"
            )
        images = inputs if inputs.is_floating_point() else inputs.float() / 255
        images = ((images - self.mean) / self.deviation).contiguous(memory_format=torch.channels_last)
        learns = self.training and not self._frozen and torch.is_grad_enabled()
        with _recomputed_blocks(self.network) if self._recomputing and learns else nullcontext():
            regions: Tensor = self.network(images, **self._options).last_hidden_state
        if regions.ndim == 4:
            regions = regions.flatten(2).mT
        elif registers := getattr(self.config, "num_register_tokens", 0):
            regions = torch.cat([regions[:, :1], regions[:, 1 + registers :]], dim=1)
        if self.unit_regions:
            length = regions.square().sum(dim=2, keepdim=True).mean(dim=1, keepdim=True).sqrt()
            regions = regions / (length + 1e-6)
        return regions


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

    def describe(self, inputs: Num[Tensor, "B channels height width"]) -> tuple[Regions, Float[Tensor, "B F"]]:
        """Return the regions and the features of the store, from which earlier stages are not known."""
        return Backbone.describe(self, inputs)

    def unscaled(self, regions: Regions) -> Regions:
        """Return the rounded regions before scaling, ``[B, R, D]``."""
        return self.scaler.unscaled(regions)


def _network(config: dict[str, Any]) -> Any:
    """Return the network of transformers that a configuration describes, with random weights."""
    with needs("images", "backbones of images"):
        from transformers import AutoConfig, AutoModel  # noqa: PLC0415 - it takes three seconds

    options = dict(config)
    return AutoModel.from_config(AutoConfig.for_model(options.pop("model_type"), **options))


def recomputed(function: Callable[..., Output], network: nn.Module, *args: Any, **options: Any) -> Output:
    """Return ``function(*args, **options)`` and store only the arguments for the gradients.

    This is gradient checkpointing (Chen et al., *Training deep nets with sublinear memory cost*, 2016). It saves memory
    and takes about a third more computation, because activations are computed a second time for the gradients.

    The second computation draws the same random numbers, and it does not change the running statistics of the batch
    normalisation in ``network``, with which the function computes, again.
    """
    output: Output = checkpoint(
        function,
        *args,
        use_reentrant=False,
        context_fn=lambda: (nullcontext(), _without_statistics(network)),
        **options,
    )
    return output


@contextmanager
def _recomputed_blocks(network: nn.Module) -> Iterator[None]:
    """Inside the block, store only the inputs of each of the network's blocks for the gradients.

    The network still processes the whole batch at once, so that batch normalisation is unchanged.
    """
    found = blocks(network)
    for block in found:
        # The method is replaced on the instance, so that hooks around the block are called once.
        block.forward = partial(recomputed, block.forward, block)
    try:
        yield
    finally:
        for block in found:
            del block.forward


def blocks(network: nn.Module) -> list[nn.Module]:
    """Return the layers of a transformer, or the residual blocks of the stages of a convolutional network.

    Raises:
        ArgumentError: the blocks of this architecture are not known.
    """
    from transformers.modeling_layers import GradientCheckpointingLayer  # noqa: PLC0415 - it takes seconds

    found: list[nn.Module] = [module for module in network.modules() if isinstance(module, GradientCheckpointingLayer)]
    stages = (getattr(module, "layers", None) for module in network.modules())
    found = found or [block for stage in stages if isinstance(stage, nn.ModuleList | nn.Sequential) for block in stage]
    if not found:
        raise ArgumentError(
            f"recompute: expected a backbone whose blocks are known, got {type(network).__name__}; leave it out, and "
            f"divide batches into parts instead (batches.micro)"
        )
    return found


@contextmanager
def _without_statistics(network: nn.Module) -> Iterator[None]:
    """Normalise by the statistics of the batch without changing the running statistics."""
    layers = [layer for layer in network.modules() if isinstance(layer, _BatchNorm) and layer.training]
    before = [(layer.momentum, layer.num_batches_tracked) for layer in layers]
    for layer in layers:
        layer.momentum, layer.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for layer, kept in zip(layers, before, strict=True):
            layer.momentum, layer.num_batches_tracked = kept
