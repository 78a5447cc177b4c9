"""The part of a classifier that recognises inputs of another kind than its training images."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rezsl.errors import ArgumentError
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
        """Return the familiarity with these buffers.

        Raises:
            KeyError: one is missing.
            ArgumentError: one has another shape or type than the others ask for, or a number that is not finite.
        """
        width, axes = len(tensors["mean"].flatten()), len(tensors["deviations"].flatten())
        shapes = {"mean": (width,), "axes": (width, axes), "deviations": (axes,), "remainder": (), "limit": (3,)}
        for name, shape in shapes.items():
            part = tensors[name]
            if part.shape != shape or part.dtype != torch.float32 or not bool(part.isfinite().all()):
                raise ArgumentError(
                    f"familiarity.{name}: expected finite numbers of float32 and shape {shape}, got {part.dtype} of "
                    f"shape {tuple(part.shape)}; restore the model from a copy"
                )
        return cls(_distribution(tensors), Limit(*tensors["limit"].tolist()))

    def forward(self, features: Float[Tensor, "B F"], highest_scores: Float[Tensor, "B"]) -> Float[Tensor, "B"]:
        """Return the strangeness of inputs; one above 0 is refused, see :class:`Limit`.

        Args:
            features: of the inputs.
            highest_scores: the highest score of each over the training table and the candidates, without γ.
        """
        buffers = dict(self.named_buffers())
        if features.shape[1] != len(buffers["mean"]):
            raise ArgumentError(
                f"familiarity: expected the limit of features of {features.shape[1]} numbers, as the backbone has "
                f"them, got one of {len(buffers['mean'])}; restore the model from a copy"
            )
        limit = Limit(*buffers["limit"].tolist())
        return limit.strangeness(distance(features, _distribution(buffers)), highest_scores)


def _distribution(tensors: Mapping[str, Tensor]) -> FeatureDistribution:
    return FeatureDistribution(**{name: tensors[name] for name in FeatureDistribution._fields})
