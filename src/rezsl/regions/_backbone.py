"""The base class of all backbones, and the registry of their builders."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

from torch import Tensor, nn

from rezsl.files import Recorded
from rezsl.functional.shapes import Regions

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
