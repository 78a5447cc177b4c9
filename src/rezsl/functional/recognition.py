"""Measures of the chosen classes: reliability of their probabilities, hubness, and the causes of wrong choices."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rezsl.errors import check_at_least
from rezsl.functional.binning import Binning, assign_bins, bin_edges
from rezsl.functional.scoring import l2_normalize
from rezsl.functional.shapes import ClassMatrix, Labels, Scores, checked

MOST_TEMPERATURE = 20.0

_CELLS = 1 << 20
"""Cosines between classes, and predicted attributes, that are in memory at a time."""


@dataclass(frozen=True, eq=False)
class Reliability:
    """A reliability diagram: accuracy and mean confidence in B bins of the confidence.

    The confidence is the probability of the chosen class by the softmax of the scores. All samples have the same
    weight, whatever their class.

    Attributes:
        binning: ``equal_width`` over [0, 1], or ``equal_count`` (adaptive, as far as ties allow).
        edges: edges of the bins, ascending, ``[B + 1]``, see :func:`rezsl.functional.binning.assign_bins`.
        count: number of samples in each bin, ``[B]``.
        confidence: mean confidence of the samples in each bin, ``[B]``; NaN in an empty bin.
        accuracy: share of right choices in each bin, ``[B]``; NaN in an empty bin.
    """

    binning: Binning
    edges: Float[Tensor, "edges"]
    count: Int[Tensor, "B"]
    confidence: Float[Tensor, "B"]
    accuracy: Float[Tensor, "B"]

    @property
    def ece(self) -> float:
        """Expected calibration error: the mean over samples of |accuracy − confidence| of their bin, in ``[0, 1]``."""
        return self._mean_over_samples((self.accuracy - self.confidence).abs())

    @property
    def largest_error(self) -> float:
        """Largest |accuracy − confidence| of a bin, in ``[0, 1]``."""
        return float((self.accuracy - self.confidence).abs().nan_to_num().max())

    @property
    def mean_confidence(self) -> float:
        """Mean confidence over samples, in ``[0, 1]``."""
        return self._mean_over_samples(self.confidence)

    @property
    def mean_accuracy(self) -> float:
        """Share of samples with a right choice, in ``[0, 1]``."""
        return self._mean_over_samples(self.accuracy)

    @property
    def overconfidence(self) -> float:
        """Mean confidence less accuracy, in ``[-1, 1]``; negative where the probabilities are too low."""
        return self._mean_over_samples(self.confidence - self.accuracy)

    def _mean_over_samples(self, of_bins: Float[Tensor, "B"]) -> float:
        return float((self.count.double() / self.count.sum() * of_bins).nansum())


@checked
def reliability(
    confidence: Float[Tensor, "N"], right: Bool[Tensor, "N"], bins: int = 15, binning: Binning = "equal_width"
) -> Reliability:
    """Compute the reliability diagram of N choices.

    Args:
        confidence: probability of each chosen class, ``[N]``, in ``[0, 1]``.
        right: whether the chosen class is the true class, ``[N]``.
        bins: largest number of bins, at least 1.
        binning: see :class:`Reliability`.

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


def fit_temperature(scores: Sequence[Float[Tensor, "_ _"]], labels: Sequence[Int[Tensor, "_"]]) -> float:
    """Return the temperature T for which the softmax of scores / T gives the true classes the highest likelihood.

    The mean log probability of the true class is concave in 1 / T (Guo et al., *On Calibration of Modern Neural
    Networks*, ICML 2017). Its derivative there is the true class's score less the mean score under the softmax.

    Args:
        scores: for each part of the samples the scores of its N candidates, ``[N_part, C_part]``, finite. Each part has
            the same weight, whatever its number of samples, at least 1.
        labels: column of the true class of each sample, ``[N_part]``.

    Returns:
        T, between 1/20 and 20.

    >>> round(fit_temperature([torch.tensor([[2.0, 0.0], [2.0, 0.0], [2.0, 0.0]])], [torch.tensor([0, 0, 1])]), 3)
    2.885
    """
    from scipy.optimize import brentq  # noqa: PLC0415 - the import takes long, and only training uses it

    parts = [(part.double(), true) for part, true in zip(scores, labels, strict=True)]

    def slope(log_temperature: float) -> float:
        sharpness = math.exp(-log_temperature)
        terms = [
            (part.gather(1, true.unsqueeze(1)).squeeze(1) - ((part * sharpness).softmax(dim=1) * part).sum(1)).mean()
            for part, true in parts
        ]
        return float(sum(terms))

    lowest, highest = -math.log(MOST_TEMPERATURE), math.log(MOST_TEMPERATURE)
    # The derivative rises with the temperature: it is negative where the probabilities are too confident.
    if slope(lowest) >= 0:
        return 1 / MOST_TEMPERATURE
    return MOST_TEMPERATURE if slope(highest) <= 0 else math.exp(brentq(slope, lowest, highest))


@dataclass(frozen=True, eq=False)
class Hubness:
    """The number of samples that have each of C candidate classes among their k best-scoring classes.

    Attributes:
        neighbours: k, at most the number of candidates.
        occurrence: N_k, the number of samples with the class among their k best, ``[C]``; sums to k × samples.
        skewness: skewness of ``occurrence`` over the classes (population form): above 0 where few classes attract many
            samples; NaN where all classes occur equally often.
        is_hub: whether a class occurs more often than the mean plus two standard deviations, ``[C]``.
        is_orphan: whether a class never occurs, ``[C]``.
    """

    neighbours: int
    occurrence: Int[Tensor, "C"]
    skewness: float
    is_hub: Bool[Tensor, "C"]
    is_orphan: Bool[Tensor, "C"]


@checked
def hubness(scores: Scores, neighbours: int) -> Hubness:
    """Compute the hubness of the candidate classes (Radovanović et al., JMLR 2010).

    γ is already subtracted from the scores of seen classes. k is ``neighbours``; below 1 it is an ArgumentError.

    >>> hubness(torch.tensor([[3.0, 1.0], [2.0, 1.0]]), 1).occurrence
    tensor([2, 0])
    """
    check_at_least(1, neighbours=neighbours)
    return hubness_of(occurrences(scores, neighbours), neighbours)


@checked
def occurrences(scores: Scores, neighbours: int) -> Int[Tensor, "C"]:
    """Count the samples that have each class among their k best, ``[C]``; slices of the samples can be added up."""
    classes = scores.shape[1]
    return torch.bincount(scores.topk(min(neighbours, classes), dim=1).indices.flatten(), minlength=classes)


@checked
def hubness_of(occurrence: Int[Tensor, "C"], neighbours: int) -> Hubness:
    """Return the hubness of the results of :func:`occurrences`."""
    deviation = occurrence - occurrence.double().mean()
    spread = deviation.square().mean().sqrt()
    return Hubness(
        neighbours=min(neighbours, len(occurrence)),
        occurrence=occurrence,
        skewness=float((deviation / spread).pow(3).mean()),
        is_hub=deviation > 2 * spread,
        is_orphan=occurrence == 0,
    )


@dataclass(frozen=True, eq=False)
class Mistakes:
    """The M wrong samples among N, and means over the right samples for comparison. Cosines are in ``[-1, 1]``.

    Attributes:
        position: positions of the wrong samples among all N, ascending, ``[M]``.
        error: mean squared error over attributes between the directions of predicted and true attributes, ``[M]``.
        cosine_to_truth: cosine between the predicted attributes and those of the true class, ``[M]``.
        cosine_to_chosen: cosine between the predicted attributes and those of the chosen class, ``[M]``.
        neighbour_rank: 1 + the number of candidates that are nearer to the true class than the chosen one, by the
            cosine between class semantics, ``[M]``. Cosines that differ by less than 1e-12 are treated as equal.
        right_error: mean of the error over the right samples; NaN if there are none.
        right_cosine: mean cosine to the true class over the right samples; NaN if there are none.
    """

    position: Int[Tensor, "M"]
    error: Float[Tensor, "M"]
    cosine_to_truth: Float[Tensor, "M"]
    cosine_to_chosen: Float[Tensor, "M"]
    neighbour_rank: Int[Tensor, "M"]
    right_error: float
    right_cosine: float

    @property
    def gap(self) -> Float[Tensor, "M"]:
        """Cosine to the chosen class less that to the true class; negative where γ or another score decided."""
        return self.cosine_to_chosen - self.cosine_to_truth

    @property
    def nearest_share(self) -> float:
        """Share of mistakes whose chosen class is the nearest neighbour of the true class; NaN without mistakes."""
        return float((self.neighbour_rank == 1).double().mean())


@checked
def study_mistakes(
    predictions: Float[Tensor, "M S"],
    class_semantics: ClassMatrix,
    truth: Labels,
    chosen: Labels,
    index: Labels | None = None,
) -> Mistakes:
    """Compute the errors and neighbourhoods of the wrong choices among N samples.

    ``truth`` and ``chosen`` are rows of the class semantics, ``[N]``, in ``[0, C)``. ``index`` has the row of the
    predictions of each sample, ``[N]``; None stands for all rows in order.
    """
    directions = l2_normalize(class_semantics.double())
    index = torch.arange(len(truth)) if index is None else index
    parts = [truth.new_empty(0, dtype=torch.float64).expand(3, 0)]
    for rows in torch.arange(len(truth)).split(max(1, _CELLS // directions.shape[1])):
        predicted, target = l2_normalize(predictions[index[rows]].double()), directions[truth[rows]]
        error, cosine = (predicted - target).square().mean(dim=1), (predicted * target).sum(dim=1)
        parts.append(torch.stack([error, cosine, (predicted * directions[chosen[rows]]).sum(dim=1)]))
    error, cosine, to_chosen = torch.cat(parts, dim=1)
    right = truth == chosen
    wrong = (~right).nonzero().squeeze(1)
    return Mistakes(
        position=wrong,
        error=error[wrong],
        cosine_to_truth=cosine[wrong],
        cosine_to_chosen=to_chosen[wrong],
        neighbour_rank=neighbour_ranks(directions, truth[wrong], chosen[wrong]),
        right_error=float(error[right].mean()),
        right_cosine=float(cosine[right].mean()),
    )


def neighbour_ranks(directions: ClassMatrix, truth: Labels, chosen: Labels) -> Int[Tensor, "B"]:
    """Return, for pairs of different classes, the rank of the second among the neighbours of the first, from 1.

    ``directions`` are rows of length 1, ``[C, S]``. The cosines of all classes, whose memory grows with the square of
    their number, are computed in slices of the classes that occur.
    """
    ranks = torch.empty_like(truth)
    classes, position = truth.unique(return_inverse=True)
    step = max(1, _CELLS // len(directions))
    for start in range(0, len(classes), step):
        rows = classes[start : start + step]
        nearness = directions[rows] @ directions.T
        nearness[torch.arange(len(rows)), rows] = -torch.inf
        pairs = ((position >= start) & (position < start + step)).nonzero().squeeze(1)
        for some in pairs.split(step):
            near = nearness[position[some] - start]
            limit = near.gather(1, chosen[some].unsqueeze(1)) + 1e-12
            ranks[some] = 1 + (near > limit).sum(dim=1)
    return ranks
