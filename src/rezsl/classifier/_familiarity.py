"""The part of a classifier that recognises inputs of another kind than its training images."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rezsl.functional.familiarity import FeatureDistribution, Limit, distance


class Familiarity(nn.Module):
    """How strange inputs are beside the training images and the descriptions of classes.

    Args:
        distribution: of the features of the training images, see :meth:`rezsl.regions.Backbone.describe`.
        limit: beyond which an input is refused.
    """

    def __init__(self, distribution: FeatureDistribution, limit: Limit) -> None:
        super().__init__()
        for name, part in distribution._asdict().items():
            self.register_buffer(name, part)
        self.register_buffer("limit", torch.tensor(limit))

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> "Familiarity":
        """Return the familiarity with these buffers; a KeyError is raised where one is missing."""
        return cls(_distribution(tensors), Limit(*tensors["limit"].tolist()))

    def forward(self, features: Float[Tensor, "B F"], highest_scores: Float[Tensor, "B"]) -> Float[Tensor, "B"]:
        """Return the strangeness of inputs; one above 0 is refused, see :class:`Limit`.

        Args:
            features: of the inputs.
            highest_scores: the highest score of each over the training table and the candidates, without γ.
        """
        buffers = dict(self.named_buffers())
        limit = Limit(*buffers["limit"].tolist())
        return limit.strangeness(distance(features, _distribution(buffers)), highest_scores)


def _distribution(tensors: Mapping[str, Tensor]) -> FeatureDistribution:
    return FeatureDistribution(**{name: tensors[name] for name in FeatureDistribution._fields})
