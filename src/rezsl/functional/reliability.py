"""Does a probability of 70 % mean right in 70 % of the cases?"""

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from rezsl.functional.binning import Binning


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
    edges: Float[Tensor, "B+1"]
    count: Int[Tensor, "B"]
    confidence: Float[Tensor, "B"]
    accuracy: Float[Tensor, "B"]

    @property
    def _share(self) -> Float[Tensor, "B"]:
        return self.count / self.count.sum()

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
