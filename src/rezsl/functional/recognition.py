"""Does a probability of 70 % mean right in 70 % of the cases?

Hubness: some classes are among the nearest of far too many samples (Radovanović et al., JMLR 2010).

What lies behind wrong predictions: poor semantics, or classes that lie close together.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rezsl.errors import ArgumentError
from rezsl.functional.binning import Binning, assign_bins, bin_edges
from rezsl.functional.scoring import l2_normalize
from rezsl.functional.shapes import ClassMatrix, Labels, Predictions, Scores


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


@dataclass(frozen=True, eq=False)
class Hubness:
    """How often each of C candidate classes is among the k best-scoring ones of a sample.

    Attributes:
        neighbours: k; never more than there are candidates.
        occurrence: N_k, in how many samples' k best each class is, ``[C]``; sums to k × samples.
        samples: how many samples truly are of each class, ``[C]``: a class of many samples should occur often.
        skewness: of ``occurrence`` over the classes (population form): above 0 where few classes attract many samples;
            NaN where all occur equally often.
        is_hub: ``[C]``: occurs more often than the mean plus two standard deviations.
        is_orphan: ``[C]``: never occurs.
    """

    neighbours: int
    occurrence: Int[Tensor, "C"]
    samples: Int[Tensor, "C"]
    skewness: float
    is_hub: Bool[Tensor, "C"]
    is_orphan: Bool[Tensor, "C"]


def hubness(scores: Scores, labels: Labels, neighbours: int) -> Hubness:
    """Hubness of the candidate classes.

    Args:
        scores: of N samples for C candidates, as they compete (less γ for seen classes), ``[N, C]``.
        labels: true class of each sample, ``[N]``, in ``[0, C)``.
        neighbours: k, at least 1.

    >>> hubness(torch.tensor([[3.0, 1.0], [2.0, 1.0]]), torch.tensor([0, 1]), 1).occurrence
    tensor([2, 0])
    """
    if neighbours < 1:
        raise ArgumentError(f"neighbours: expected at least 1, got {neighbours}")
    classes = scores.shape[1]
    neighbours = min(neighbours, classes)
    occurrence = torch.bincount(scores.topk(neighbours, dim=1).indices.flatten(), minlength=classes)
    deviation = occurrence - occurrence.double().mean()
    spread = deviation.square().mean().sqrt()
    even = bool((occurrence == occurrence[0]).all())
    return Hubness(
        neighbours=neighbours,
        occurrence=occurrence,
        samples=torch.bincount(labels, minlength=classes),
        skewness=torch.nan if even else float((deviation / spread).pow(3).mean()),
        is_hub=(deviation > 2 * spread) & (not even),
        is_orphan=occurrence == 0,
    )


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
