"""Does a probability of 70 % mean right in 70 % of the cases?"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rezsl.functional.binning import Binning, assign_bins, bin_edges


@dataclass(frozen=True, eq=False)
class Reliability:
    """A reliability diagram: confidence against accuracy in B bins of the confidence.

    The confidence is the probability that the softmax of the scores gives the chosen class. Every sample counts the
    same here, whatever its class.

    Attributes:
        binning: ``equal_width`` over [0, 1], or ``equal_count`` (adaptive; as equal as ties allow).
        edges: of the bins, ascending, ``[B + 1]``. A bin includes its upper edge, the first one also its lower.
        count: samples in each bin, ``[B]``.
        confidence: their mean confidence, ``[B]``; NaN in an empty bin.
        accuracy: the share of them that is right, ``[B]``; NaN in an empty bin.
    """

    binning: Binning
    edges: Float[Tensor, "edges"]
    count: Int[Tensor, "B"]
    confidence: Float[Tensor, "B"]
    accuracy: Float[Tensor, "B"]

    @property
    def _share(self) -> Float[Tensor, "B"]:
        return self.count.double() / self.count.sum()

    @property
    def ece(self) -> float:
        """Expected calibration error: mean over samples of |accuracy − confidence| of their bin, in ``[0, 1]``."""
        return float((self._share * (self.accuracy - self.confidence).abs()).nansum())

    @property
    def largest_error(self) -> float:
        """|accuracy − confidence| of the worst bin, in ``[0, 1]``."""
        return float((self.accuracy - self.confidence).abs().nan_to_num().max())

    @property
    def overconfidence(self) -> float:
        """Mean confidence less accuracy, in ``[-1, 1]``; negative where the model is too modest."""
        return float((self._share * (self.confidence - self.accuracy)).nansum())


def reliability(
    confidence: Float[Tensor, "N"], right: Bool[Tensor, "N"], bins: int = 15, binning: Binning = "equal_width"
) -> Reliability:
    """The reliability diagram of N choices.

    Args:
        confidence: probability of each chosen class, ``[N]``, in ``[0, 1]``.
        right: whether it is the true one, ``[N]``.
        bins: how many at most.
        binning: ``equal_width`` over [0, 1], or ``equal_count``.

    >>> diagram = reliability(torch.tensor([0.9, 0.7]), torch.tensor([True, False]), bins=1)
    >>> f"{float(diagram.confidence):.2f} {float(diagram.accuracy):.2f} {diagram.ece:.2f}"
    '0.80 0.50 0.30'
    """
    confidence = confidence.double()
    range_or_values = torch.tensor([0.0, 1.0]).double() if binning == "equal_width" else confidence
    edges = bin_edges(range_or_values, bins, binning)
    place = assign_bins(confidence, edges)
    count, mass, hits = (
        edges.new_zeros(len(edges) - 1).index_add_(0, place, terms)
        for terms in (torch.ones_like(confidence), confidence, right.double())
    )
    return Reliability(binning, edges, count.long(), mass / count, hits / count)
