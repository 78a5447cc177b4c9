"""What lies behind wrong predictions: poor semantics, or classes that lie close together."""

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Mistakes:
    """The M wrong samples among N, and for comparison the right ones. Cosines lie in ``[-1, 1]``.

    Attributes:
        position: which of the N samples they are, ascending, ``[M]``.
        truth: their class, ``[M]``, a position among the candidates.
        chosen: the class that was chosen instead, ``[M]``.
        error: mean squared error over semantics between the directions of predicted and true semantics, ``[M]``.
        cosine_to_truth: of the predicted semantics to those of the true class, ``[M]``.
        cosine_to_chosen: to those of the chosen class, ``[M]``.
        neighbour_rank: how the chosen class ranks among the truth's neighbours in semantic space (cosine between
            class semantics), ``[M]``: 1 if no other candidate lies nearer to the truth.
        right_error: mean of the error over the right samples; NaN if there is none.
        right_cosine: mean cosine to the truth over the right samples; NaN if there is none.
    """

    position: Int[Tensor, "M"]
    truth: Int[Tensor, "M"]
    chosen: Int[Tensor, "M"]
    error: Float[Tensor, "M"]
    cosine_to_truth: Float[Tensor, "M"]
    cosine_to_chosen: Float[Tensor, "M"]
    neighbour_rank: Int[Tensor, "M"]
    right_error: float
    right_cosine: float

    @property
    def gap(self) -> Float[Tensor, "M"]:
        """By how much the chosen class's cosine exceeds the truth's; negative where γ or another score decided."""
        return self.cosine_to_chosen - self.cosine_to_truth

    @property
    def nearest_share(self) -> float:
        """How often the chosen class is the truth's nearest neighbour, in ``[0, 1]``; NaN without mistakes."""
        return float((self.neighbour_rank == 1).double().mean())
