"""The backbones that turn images into regions by a vision network of transformers."""

import inspect
import math
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Literal

import torch
from jaxtyping import Float, Num
from torch import Tensor, nn

from rezsl.data import Framing, ImageFormat, ValueRange, check_value_range
from rezsl.errors import ArgumentError, DataError, check_at_least, check_choice, needs
from rezsl.functional import l2_normalize
from rezsl.functional.shapes import Regions
from rezsl.regions._architectures import check_config, known_part
from rezsl.regions._backbone import Backbone, FeatureScaler
from rezsl.regions._blocks import blocks, recomputed_blocks, stages
from rezsl.regions._small_network import SmallNetwork

if TYPE_CHECKING:
    from transformers import PretrainedConfig

MOST_WEIGHTS = 8_000_000_000
"""A larger network is refused before it takes any memory; the largest published vision networks have 7 billion."""

POOLED = ("mean", "mean_max")
"""The poolings that make one region of all."""

Pooling = Literal["auto", "none", "mean", "mean_max", "joint"]
"""Whether a model receives the regions of an image themselves, or one region that sums them up."""

JOINT = {"clip_vision_model": "CLIPVisionModelWithProjection", "siglip_vision_model": "SiglipVisionModel"}
"""The networks with an embedding of the whole image in a joint space of images and texts, by their model type."""


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
            cropped, at least ``image_size``; None crops the largest square.
        mean: number that is subtracted from pixels in ``[0, 1]``, for each channel or for all.
        deviation: number that pixels are divided by afterwards, for each channel or for all.
        small_stem: for images of few pixels, begin a ResNet of basic layers with a 3 × 3 convolution of stride 1. The
            usual first layers (a 7 × 7 convolution of stride 2 and pooling) leave a quarter of the resolution. Such a
            network does not need transformers.
        unit_regions: divide the regions of an image by their root mean square length. Otherwise the logits of the
            attention grow with the activations, and when it is trained from scratch, its softmax saturates within a few
            epochs.
        pooling: ``none`` returns the regions. ``mean`` returns their mean over the cells or patches as the only region,
            ``[B, 1, D]``. ``mean_max`` returns this mean and, beside it, the maximum of each channel over the cells, or
            the class token where there is one: ``[B, 1, 2D]``. ``joint`` returns the embedding of CLIP or SigLIP in the
            joint space of images and texts, of length 1, ``[B, 1, E]``. ``auto`` is ``none`` until a training decides:
            a frozen backbone then pools by ``mean_max`` for a model without attention.
        framing: ``crop`` shows the network a square part of the image, ``whole`` all of it, squeezed into the square.
        trainable_stages: how many stages of a convolutional network, or layers of a transformer, learn in training,
            counted from the end, with everything after them; 0 means none (a frozen backbone), None means the whole
            network.
        value_range: the numbers in image files that are black and white; None takes those of their type, see
            :func:`rezsl.data.read_image`.

    Raises:
        ArgumentError: a size, the range of values, the number of colours or stages, or the architecture does not fit.
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
        pooling: Pooling = "none",
        framing: Framing = "crop",
        trainable_stages: int | None = None,
        value_range: Sequence[int | float] | None = None,
    ) -> None:
        super().__init__()
        check_value_range(value_range)
        check_at_least(4, image_size=image_size)
        if resize is not None:
            check_at_least(image_size, resize=resize)
        check_choice(Pooling, pooling=pooling)
        check_choice(Framing, framing=framing)
        if small_stem:
            check_config(config)
        network: Any = SmallNetwork(config) if small_stem else _network(config, joint=pooling == "joint")
        self.config: PretrainedConfig = network.config
        self.image_size, self.resize, self.framing = image_size, resize, framing
        self.value_range: ValueRange | None = None if value_range is None else (value_range[0], value_range[1])
        self.unit_regions, self.pooling, self.trainable_stages = unit_regions, pooling, trainable_stages
        self.source, self.revision = "random weights", ""
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
        self._recomputing = False
        self._channels_of_cells = self._find_channels()
        if trainable_stages:
            check_at_least(0, trainable_stages=trainable_stages)
            if trainable_stages > (most := len(stages(self.network))):
                raise ArgumentError(
                    f"trainable_stages: expected at most {most}, which this network has, or null for all of it, got "
                    f"{trainable_stages}"
                )
        self.freeze(False)

    @property
    def channels(self) -> int:
        """The number of channels of an image: 3 for RGB, 1 for greyscale."""
        return int(getattr(self.config, "num_channels", 3))

    @property
    def region_dim(self) -> int:
        """D, the channels of the last stage or layer, 2D with ``mean_max``, or the dimensions of the joint space."""
        if self.pooling == "joint" and hasattr(self.network, "visual_projection"):
            return int(self.config.projection_dim)
        return self._channels_of_cells * (2 if self.pooling == "mean_max" else 1)

    @property
    def input_format(self) -> ImageFormat:
        """The size, colours and framing of the images that the network receives."""
        return ImageFormat(self.image_size, self.channels, self.resize, self.framing, self.value_range)

    @property
    def frozen(self) -> bool:
        """Whether no part of the network ever learns, so that its regions can be computed once."""
        return self.trainable_stages == 0

    def pool(self, pooling: Pooling) -> None:
        """Choose the pooling, also in the arguments with which the backbone is saved."""
        self.pooling = pooling
        self.arguments = self.arguments | {"pooling": pooling}

    def read_values(self, value_range: Sequence[int | float]) -> None:
        """Choose which numbers in image files are black and white, also in the arguments of a saved backbone."""
        check_value_range(value_range)
        self.value_range = value_range[0], value_range[1]
        self.arguments = self.arguments | {"value_range": [*value_range]}

    def grid(self, regions: int) -> tuple[int, int]:
        """Return how many of R regions come before the cells of the image (class tokens), and the cells on a side."""
        patch = None if hasattr(self.config, "hidden_sizes") else getattr(self.config, "patch_size", None)
        side = self.image_size // patch if isinstance(patch, int) else 0
        side = side if 0 < side**2 <= regions else math.isqrt(regions)
        return regions - side**2, side

    def freeze(self, frozen: bool = True) -> None:
        """Exclude all of the network's weights from training, or include those of its trainable stages again.

        A part that does not learn stays in evaluation mode in every mode of the model around it, so that the statistics
        of its batch normalisation do not change and its dropout is off.
        """
        modules = list(self.network.modules())
        if frozen or self.frozen:
            modules = []
        elif self.trainable_stages is not None:
            # Modules are listed in the order of their definition, in which everything after a stage comes later.
            modules = modules[modules.index(stages(self.network)[-self.trainable_stages]) :]
        self._learning = modules
        self.network.requires_grad_(False)
        for module in modules:
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(True)
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
        """Switch between training and evaluation mode; parts that do not learn stay in evaluation mode."""
        super().train(mode)
        self.network.train(False)
        for module in self._learning:
            module.training = mode
        return self

    def forward(self, inputs: Num[Tensor, "B channels height width"]) -> Regions:
        """Return the regions ``[B, R, D]`` of uint8 images, or of floating-point images in ``[0, 1]``.

        With a pooling, R is 1.

        Raises:
            DataError: the images have another number of channels.
        """
        if self.pooling == "joint":
            found = self.network(self._normalized(inputs), **self._options)
            embedding = found.image_embeds if hasattr(found, "image_embeds") else found.pooler_output
            return l2_normalize(embedding).unsqueeze(1)
        regions = self.cells(inputs)
        if self.pooling in ("auto", "none"):
            return regions
        before, _ = self.grid(regions.shape[1])
        cells = regions[:, before:]
        parts = [cells.mean(dim=1)]
        if self.pooling == "mean_max":
            parts.append(regions[:, 0] if before else cells.amax(dim=1))
        return torch.cat(parts, dim=1).unsqueeze(1)

    def cells(self, inputs: Num[Tensor, "B channels height width"]) -> Regions:
        """Return the regions before any pooling."""
        images = self._normalized(inputs)
        learns = self.training and bool(self._learning) and torch.is_grad_enabled()
        with recomputed_blocks(self.network) if self._recomputing and learns else nullcontext():
            regions: Tensor = self.network(images, **self._options).last_hidden_state
        of_timm = getattr(self.network, "timm_model", None)
        if regions.ndim == 4:
            regions = regions.flatten(1, 2) if _channels_last(of_timm) else regions.flatten(2).mT
        elif registers := getattr(self.config, "num_register_tokens", 0) or getattr(of_timm, "num_reg_tokens", 0):
            regions = torch.cat([regions[:, :1], regions[:, 1 + registers :]], dim=1)
        if self.unit_regions:
            length = regions.square().sum(dim=2, keepdim=True).mean(dim=1, keepdim=True).sqrt()
            regions = regions / (length + 1e-6)
        return regions

    def _normalized(self, inputs: Num[Tensor, "B channels height width"]) -> Tensor:
        """Return images as the network receives them."""
        if inputs.shape[1] != self.channels:
            raise DataError(
                f"inputs: expected images with {self.channels} channels, got {inputs.shape[1]}; convert the images"
            )
        images = inputs if inputs.is_floating_point() else inputs.float() / 255
        return ((images - self.mean) / self.deviation).contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def describe(self, inputs: Num[Tensor, "B channels height width"]) -> tuple[Regions, Float[Tensor, "B F"]]:
        """Return the regions and features as every backbone does; a small network adds its earlier stages to these.

        Trained from scratch, its last stage keeps little but what separates the training classes. Each stage counts
        alike: the mean of its map over the cells is divided by its length.
        """
        if not isinstance(self.network, SmallNetwork):
            return super().describe(inputs)
        maps: list[Tensor] = []
        hooks = [
            part.register_forward_hook(lambda _part, _inputs, output: maps.append(output))
            for part in self.network.parts
        ]
        try:
            regions = self(inputs)
        finally:
            for hook in hooks:
                hook.remove()
        return regions, torch.cat([l2_normalize(found.mean(dim=(2, 3))) for found in maps], dim=1)

    def _find_channels(self) -> int:
        """Return the channels of a cell, from the configuration or from an empty image."""
        of_timm = getattr(self.network, "timm_model", None)
        sizes = getattr(self.config, "hidden_sizes", None) or [getattr(self.config, "hidden_size", None)]
        known = getattr(of_timm, "num_features", sizes[-1])
        if known is not None:
            return int(known)
        was_training = self.network.training
        image = torch.zeros(1, self.channels, self.image_size, self.image_size)
        found: Tensor = self.network.eval()(image, **self._options).last_hidden_state
        self.network.train(was_training)
        return found.shape[1 if found.ndim == 4 else 2]


class ScaledImageBackbone(ImageBackbone):
    """An image backbone whose regions are rounded and scaled, as those of a store were before a model was trained.

    Args:
        config: configuration of the network, as for :class:`ImageBackbone`.
        scaler: arguments of the :class:`FeatureScaler`.
        dtype: the type to which regions are rounded, ``float16``, ``bfloat16`` or ``float8_e4m3fn``.
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

    def apart(self) -> tuple[ImageBackbone, FeatureScaler]:
        """Return a copy of the backbone that was joined, and the scaler itself; the inverse of :meth:`join`."""
        arguments = {name: value for name, value in self.arguments.items() if name not in ("scaler", "dtype")}
        backbone = ImageBackbone(**arguments)
        backbone.network.load_state_dict(self.network.state_dict())
        return backbone.train(self.training), self.scaler

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


def _channels_last(of_timm: Any) -> bool:
    """Return whether the maps of a network of timm are ``[B, height, width, D]``, as those of a Swin transformer."""
    return str(getattr(of_timm, "output_fmt", "")).endswith("NHWC")


def _network(config: dict[str, Any], joint: bool = False) -> Any:
    """Return the network of transformers that a configuration describes, with random weights."""
    with needs("images", "backbones of images"):
        import transformers  # noqa: PLC0415 - it takes three seconds

    check_config(config)
    kind = config["model_type"]
    if joint and kind not in JOINT:
        raise ArgumentError(
            f"pooling: expected joint only with the image network of CLIP or SigLIP, got {kind}; choose another source "
            f"or pooling"
        )
    build: Any = getattr(transformers, JOINT[kind]) if joint else transformers.AutoModel.from_config
    described = transformers.CONFIG_MAPPING[kind]
    checked = described(**known_part(config, described))
    with torch.device("meta"):  # without memory for the weights
        count = sum(weight.numel() for weight in build(checked).parameters())
    if count > MOST_WEIGHTS:
        raise ArgumentError(
            f"config: expected a network of at most {MOST_WEIGHTS:,} weights, got {count:,}; correct its sizes"
        )
    return build(checked)
