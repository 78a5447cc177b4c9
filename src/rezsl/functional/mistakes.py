"""What lies behind wrong predictions: poor semantics, or classes that lie close together."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.functional.scoring import l2_normalize
from rezsl.functional.shapes import ClassMatrix, Labels, Predictions

ROUNDING = 1e-12
"""Classes whose cosines differ by less lie equally near."""


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


def study_mistakes(predictions: Predictions, class_semantics: ClassMatrix, truth: Labels, chosen: Labels) -> Mistakes:
    """Study the wrong ones among N predictions.

    Args:
        predictions: predicted semantics, ``[N, S]``.
        class_semantics: semantics of the candidates, ``[C, S]``.
        truth: true class of each, ``[N]``, in ``[0, C)``.
        chosen: chosen class of each, ``[N]``, in ``[0, C)``.
    """
    predictions, directions = l2_normalize(predictions.double()), l2_normalize(class_semantics.double())
    target = directions[truth]
    error = (predictions - target).square().mean(dim=1)
    cosine = (predictions * target).sum(dim=1)
    right = truth == chosen
    wrong = (~right).nonzero().squeeze(1)
    return Mistakes(
        position=wrong,
        truth=truth[wrong],
        chosen=chosen[wrong],
        error=error[wrong],
        cosine_to_truth=cosine[wrong],
        cosine_to_chosen=(predictions[wrong] * directions[chosen[wrong]]).sum(dim=1),
        neighbour_rank=neighbour_ranks(directions)[truth[wrong], chosen[wrong]],
        right_error=float(error[right].mean()),
        right_cosine=float(cosine[right].mean()),
    )


def neighbour_ranks(directions: ClassMatrix) -> Int[Tensor, "C C"]:
    """How class c (column) ranks among the neighbours of class t (row): 1 + the classes nearer to t, other than t.

    Args:
        directions: class semantics with rows of length 1, ``[C, S]``.
    """
    cosine = (directions @ directions.T).fill_diagonal_(-torch.inf)
    ascending = cosine.sort(dim=1).values
    return len(cosine) - torch.searchsorted(ascending, cosine + ROUNDING, right=True) + 1
