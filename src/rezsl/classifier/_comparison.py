"""What of the outputs and of the class semantics the scores compare."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from rezsl.functional import l2_normalize, varied_attributes
from rezsl.functional.shapes import ClassVectors, Outputs


class Comparison(nn.Module):
    """Changes outputs and vectors of classes before cosines compare them.

    Args:
        seen: vectors of the seen classes, ``[K, S]``, to which both changes are relative.
        centered: subtract the mean direction of the seen classes from both, so that the cosine compares in what classes
            differ from the average class, and not what all of them share.
        varied_only: attributes in which all seen classes are equal become 0 in both, because no training image shows
            how they look.

    Attributes:
        origin: what is subtracted, ``[S]``.
        counted: which attributes are compared, ``[S]``.
    """

    origin: Float[Tensor, "S"]
    counted: Bool[Tensor, "S"]

    def __init__(self, seen: ClassVectors, centered: bool, varied_only: bool) -> None:
        super().__init__()
        self.centered, self.varied_only = centered, varied_only
        origin = l2_normalize(seen).mean(dim=0) if centered else seen.new_zeros(seen.shape[1])
        counted = varied_attributes(seen) if varied_only else torch.ones(seen.shape[1], dtype=torch.bool)
        # Both follow from the table and the seen classes, so they are not saved.
        self.register_buffer("origin", origin, persistent=False)
        self.register_buffer("counted", counted, persistent=False)

    def outputs(self, outputs: Outputs) -> Outputs:
        """Return outputs ``[B, E]`` as they are compared."""
        if self.centered:
            outputs = outputs - self.origin.to(outputs)
        return outputs * self.counted.to(outputs.device) if self.varied_only else outputs

    def classes(self, vectors: ClassVectors) -> ClassVectors:
        """Return vectors of classes ``[C, S]`` as they are compared."""
        if self.centered:
            vectors = l2_normalize(vectors) - self.origin.to(vectors)
        return vectors * self.counted.to(vectors.device) if self.varied_only else vectors
