"""What every input stage has in common: inputs in, regions out."""

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor, nn

from rezsl.functional.shapes import Regions


class Backbone(nn.Module, ABC):
    """Turns inputs into regions ``[B, R, D]``.

    ``specification()`` is JSON; together with the ``state_dict`` it restores the backbone, so a saved model brings
    its own preprocessing along.
    """

    @property
    @abstractmethod
    def region_dim(self) -> int:
        """D, channels of a region."""

    @abstractmethod
    def specification(self) -> dict[str, Any]:
        """What ``restore`` needs, as JSON values."""

    @classmethod
    @abstractmethod
    def restore(cls, specification: dict[str, Any]) -> "Backbone":
        """A backbone of the given shape, for a ``state_dict`` to be loaded into."""

    @abstractmethod
    def forward(self, inputs: Tensor) -> Regions:
        """Regions of a batch of inputs."""
