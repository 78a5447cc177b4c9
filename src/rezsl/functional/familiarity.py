"""How far a feature lies from the features of training images, by which inputs of another kind are recognised.

Each feature is replaced by its direction: the signed square root of each number, divided by the length of the row. The
directions of training images are described by a Gaussian with few principal directions and equal variance in all others
(probabilistic principal component analysis: Tipping and Bishop, 1999), and the distance is Mahalanobis'. Without the
length, a distance separates foreign images much better (Mueller and Hein, *Mahalanobis++*, ICML 2025).

The distance is joined with the highest class score, which is low where no class description fits an image.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.errors import ArgumentError, check_between_0_and_1
from rezsl.functional.scoring import l2_normalize
from rezsl.functional.shapes import checked

SMALLEST_DEVIATION = 1e-6

KEPT_SHARE = 0.95
"""The share of familiar images that the limit keeps."""


class Limit(NamedTuple):
    """The rule by which an input is refused: distance_weight · distance − score_weight · highest score > limit.

    Attributes:
        distance_weight: 1 / standard deviation of the distances of familiar images.
        score_weight: 1 / standard deviation of their highest scores.
        limit: in standard deviations.
    """

    distance_weight: float
    score_weight: float
    limit: float

    def strangeness(self, distances: Float[Tensor, "B"], highest_scores: Float[Tensor, "B"]) -> Float[Tensor, "B"]:
        """Return by how many standard deviations inputs lie beyond the limit; those above 0 are refused, ``[B]``."""
        return self.distance_weight * distances - self.score_weight * highest_scores - self.limit


class FeatureDistribution(NamedTuple):
    """A Gaussian of feature directions with Q principal directions in D dimensions.

    Attributes:
        mean: mean direction, ``[D]``.
        axes: principal directions, orthonormal columns, ``[D, Q]``.
        deviations: standard deviation along each of them, positive, ``[Q]``.
        remainder: standard deviation along every other direction, positive.
    """

    mean: Float[Tensor, "D"]
    axes: Float[Tensor, "D Q"]
    deviations: Float[Tensor, "Q"]
    remainder: Float[Tensor, ""]


@checked
def feature_directions(features: Float[Tensor, "N D"]) -> Float[Tensor, "N D"]:
    """Return the signed square roots of features, each row scaled to length 1; a row of zeros stays zero.

    >>> feature_directions(torch.tensor([[9.0, -16.0]]))
    tensor([[ 0.6000, -0.8000]])
    """
    return l2_normalize(features.sign() * features.abs().sqrt())


@checked
def fit_distribution(features: Float[Tensor, "N D"], most_axes: int = 64) -> FeatureDistribution:
    """Return the distribution of the directions of N features, float32.

    Args:
        features: features of training images, ``[N, D]``.
        most_axes: Q, the number of principal directions; it is lower where there are fewer than 4 Q features or fewer
            than 2 Q dimensions, in which so many directions could not be estimated.

    Raises:
        ArgumentError: there are no features, or a number is not finite.
    """
    if not len(features) or not bool(features.isfinite().all()):
        raise ArgumentError(
            "features: expected finite numbers of at least one image, got none or others; leave the others out"
        )
    from scipy.linalg import eigh  # noqa: PLC0415 - the import takes long, and only training uses it

    rows = feature_directions(features.double())
    mean, (count, dimensions) = rows.mean(dim=0), rows.shape
    rows = rows - mean
    # The smaller of the two matrices with equal eigenvalues is decomposed.
    matrix = (rows.T @ rows if dimensions <= count else rows @ rows.T) / count
    axes = min(most_axes, count // 4, dimensions // 2)
    variances, vectors = rows.new_zeros(0), rows.new_zeros(len(matrix), 0)
    if axes:
        found = eigh(matrix.numpy(), subset_by_index=(len(matrix) - axes, len(matrix) - 1))
        variances, vectors = (torch.from_numpy(part) for part in found)
    exists = variances > SMALLEST_DEVIATION**2
    variances, vectors = variances[exists], vectors[:, exists]
    if dimensions > count:
        vectors = l2_normalize((rows.T @ vectors).T).T
    rest = (matrix.trace() - variances.sum()) / max(1, dimensions - len(variances))
    remainder = rest.clamp(min=SMALLEST_DEVIATION**2).sqrt()
    return FeatureDistribution(mean.float(), vectors.float(), variances.sqrt().float(), remainder.float())


@checked
def distance(features: Float[Tensor, "B D"], distribution: FeatureDistribution) -> Float[Tensor, "B"]:
    """Return the Mahalanobis distance of the directions of features from a distribution, ``[B]``, at least 0."""
    centered = feature_directions(features.float()) - distribution.mean
    along = centered @ distribution.axes
    others = centered - along @ distribution.axes.T
    return (
        (along / distribution.deviations).square().sum(1) + (others / distribution.remainder).square().sum(1)
    ).sqrt()


def keeping_limit(parts: list[Float[Tensor, "_"]], share: float) -> float:
    """Return the smallest number up to which the mean over parts of the share of kept samples is at least ``share``.

    Args:
        parts: numbers of several kinds of samples, such as those of seen and of unseen classes; each kind has the
            same weight, whatever its number of samples, at least 1.
        share: between 0 and 1.

    >>> keeping_limit([torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([3.0, 5.0])], 0.75)
    4.0
    """
    check_between_0_and_1(share=share)
    numbers, order = torch.cat(parts).double().sort()
    weights = torch.cat([torch.full((len(part),), 1 / (len(part) * len(parts))) for part in parts]).double()
    # The tolerance is for the rounding of a sum of equal weights.
    reached = weights[order].cumsum(0) >= share - 1e-9
    return float(numbers[reached.nonzero()[0, 0]])


def fit_limit(
    distances: list[Float[Tensor, "_"]], highest_scores: list[Float[Tensor, "_"]], share: float = KEPT_SHARE
) -> Limit:
    """Return the limit that keeps a share of familiar images, as in :func:`keeping_limit`.

    Args:
        distances: of several kinds of images from the training images, one tensor for each kind.
        highest_scores: the highest class score of each of these images, in the same order.
        share: between 0 and 1.
    """
    weights = [1 / max(_deviation(parts), SMALLEST_DEVIATION) for parts in (distances, highest_scores)]
    rule = Limit(weights[0], weights[1], 0.0)
    strangeness = [
        rule.strangeness(part.double(), scores.double()) for part, scores in zip(distances, highest_scores, strict=True)
    ]
    return rule._replace(limit=keeping_limit(strangeness, share))


def _deviation(parts: list[Float[Tensor, "_"]]) -> float:
    """Return the standard deviation of numbers of several kinds, of which each has the same weight."""
    mean = torch.stack([part.double().mean() for part in parts]).mean()
    return float(torch.stack([(part.double() - mean).square().mean() for part in parts]).mean().sqrt())
