"""The residual network of small images, in PyTorch alone, because the import of transformers takes seconds."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from torch import Tensor, nn

from rezsl.errors import ArgumentError


class SmallNetwork(nn.Module):
    """A residual network of basic blocks (He et al., 2016) whose first layer keeps the resolution.

    Its layers have the names of ``ResNetModel`` of transformers, and equal random numbers give equal initial weights.

    Args:
        config: a configuration of transformers for a ResNet with the layer type ``basic``.

    Raises:
        ArgumentError: the configuration is of another network.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        kind = f"{config.get('model_type')} of {config.get('layer_type')} layers"
        if kind != "resnet of basic layers":
            raise ArgumentError(f"small_stem: expected a resnet of basic layers, got {kind}; leave small_stem out")
        self.config = SimpleNamespace(**config)
        sizes = [config["embedding_size"], *config["hidden_sizes"]]
        strides = [2 if config["downsample_in_first_stage"] else 1, *[2] * (len(sizes) - 2)]
        # transformers draws the weights three times, those of a first convolution of 7 × 7 pixels included.
        self.embedder = nn.ModuleDict({"embedder": _Layer(config["num_channels"], sizes[0], size=7)})
        shapes = zip(sizes, sizes[1:], strides, config["depths"], strict=False)
        self.encoder = nn.ModuleDict({"stages": nn.ModuleList(_Stage(*shape) for shape in shapes)})
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight)
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        stem = nn.Conv2d(config["num_channels"], sizes[0], kernel_size=3, padding=1, bias=False)
        nn.init.kaiming_normal_(stem.weight, mode="fan_out", nonlinearity="relu")
        self.embedder["embedder"].convolution = stem

    @property
    def parts(self) -> tuple[nn.Module, ...]:
        """The first layer and the stages, in the order in which images pass through them."""
        return (self.embedder["embedder"], *self.encoder["stages"].children())

    def forward(self, images: Tensor) -> SimpleNamespace:
        """Return the last feature map ``[B, D, height, width]`` as ``last_hidden_state``."""
        maps = images
        for part in self.parts:
            maps = part(maps)
        return SimpleNamespace(last_hidden_state=maps)


class _Layer(nn.Module):
    """A convolution and its normalisation, and their rectifier unless it follows later."""

    def __init__(self, before: int, after: int, size: int = 3, stride: int = 1, rectified: bool = True) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(before, after, size, stride, padding=size // 2, bias=False)
        self.normalization = nn.BatchNorm2d(after)
        self.activation = nn.ReLU() if rectified else nn.Identity()

    def forward(self, maps: Tensor) -> Tensor:
        result: Tensor = self.activation(self.normalization(self.convolution(maps)))
        return result


class _Block(nn.Module):
    """Two layers whose result is added to their input."""

    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__()
        keeps_shape = before == after and stride == 1
        self.shortcut = nn.Identity() if keeps_shape else _Layer(before, after, 1, stride, rectified=False)
        self.layer = nn.Sequential(_Layer(before, after, stride=stride), _Layer(after, after, rectified=False))
        self.activation = nn.ReLU()

    def forward(self, maps: Tensor) -> Tensor:
        result: Tensor = self.activation(self.layer(maps) + self.shortcut(maps))
        return result


class _Stage(nn.Module):
    """Blocks of one resolution."""

    def __init__(self, before: int, after: int, stride: int, depth: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(_Block(before, after, stride), *(_Block(after, after) for _ in range(depth - 1)))

    def forward(self, maps: Tensor) -> Tensor:
        result: Tensor = self.layers(maps)
        return result
