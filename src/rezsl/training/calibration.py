"""The calibration of a classifier: probabilities that agree with accuracies, and a limit beyond which it refuses."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.classifier import Familiarity, ZeroShotClassifier
from rezsl.data import Benchmark, SelectionSplit
from rezsl.functional.curves import curve_from_margins
from rezsl.functional.familiarity import FeatureDistribution, Limit, distance, fit_distribution, fit_limit
from rezsl.functional.recognition import fit_temperature
from rezsl.functional.scoring import seen_unseen_margins
from rezsl.functional.statistics import spread

MOST_IMAGES = 4096
"""The most training images by which their distribution and their margins are estimated, spread evenly over all."""

MOST_SCORES, LEAST_IMAGES = 1 << 24, 256
"""The most class scores of each kind of validation images on which the calibration rests, and the least images."""

KEPT = 0.8
"""The share of right training images that stays right at the γ of :func:`gamma_keeping_seen` (see docs/results.md)."""


class Calibration(NamedTuple):
    """What :func:`calibrate` finds.

    Attributes:
        temperature: number by which scores are divided before their softmax gives probabilities.
        distance_weight: of the :class:`rezsl.functional.familiarity.Limit` beyond which an input is refused.
        score_weight: of this limit.
        limit: of this limit.
    """

    temperature: float
    distance_weight: float
    score_weight: float
    limit: float


class ValidatedKind(NamedTuple):
    """Scores, classes and distances of N validation images.

    Attributes:
        scores: class scores, from which γ is not subtracted, ``[N, C]``; the seen classes are the first columns.
        labels: true class of each image, a column of the scores, ``[N]``.
        highest: highest score of each image over all classes of the table, ``[N]``.
        distances: distance of each image from the training images, ``[N]``.
    """

    scores: Float[Tensor, "N C"]
    labels: Int[Tensor, "N"]
    highest: Float[Tensor, "N"]
    distances: Float[Tensor, "N"]


class Validated(NamedTuple):
    """What a classifier of the selection stage computes for the validation images of one class fold.

    Attributes:
        seen: for held-out images of the training classes.
        unseen: for images of the validation classes.
        seen_classes: the number of training classes.
    """

    seen: ValidatedKind
    unseen: ValidatedKind
    seen_classes: int


@torch.no_grad()
def validate(classifier: ZeroShotClassifier, benchmark: Benchmark, parts: SelectionSplit) -> Validated:
    """Compute what :func:`calibrate` needs of one class fold, whose classifier is trained on ``parts.train``."""
    reference = reference_of(classifier, benchmark, parts.train)
    classes = (*classifier.seen_classes, *benchmark.class_names(parts.val_unseen))
    vectors = classifier.class_vectors(classifier.semantics.only(classes))
    column = torch.full((len(benchmark.semantics.classes),), -1)
    column[benchmark.semantics.index(classes)] = torch.arange(len(classes))
    kinds = []
    most = max(LEAST_IMAGES, MOST_SCORES // len(classes))
    for index in (spread(parts.val_seen, most), spread(parts.val_unseen, most)):
        batches = classifier.describe(benchmark.inputs, index=index)
        described = [
            (classifier.network(regions).cpu(), distance(features.cpu(), reference)) for regions, features in batches
        ]
        predictions, distances = (torch.cat(pieces) for pieces in zip(*described, strict=True))
        scores = classifier.class_scores(predictions, vectors)
        highest = classifier.highest_scores(predictions)
        kinds.append(ValidatedKind(scores, column[benchmark.labels[index]], highest, distances))
    return Validated(kinds[0], kinds[1], len(classifier.seen_classes))


def calibrate(folds: Sequence[Validated], gamma: float) -> Calibration:
    """Return the temperature of the probabilities and the limit beyond which an input is refused.

    Both rest on held-out images of seen classes and on images of validation classes, and give both kinds the same
    weight. No foreign image is needed: the limit keeps the share :data:`rezsl.functional.familiarity.KEPT_SHARE` of
    those among these images that are recognised among the classes of their kind.

    Args:
        folds: the results of :func:`validate` for each class fold.
        gamma: γ of the classifier that is calibrated.
    """
    kinds = [(kind, fold.seen_classes) for fold in folds for kind in (fold.seen, fold.unseen)]
    calibrated = [kind.scores - gamma * (torch.arange(kind.scores.shape[1]) < seen) for kind, seen in kinds]
    temperature = fit_temperature(calibrated, [kind.labels for kind, _ in kinds])
    sides = [
        [_answered_rightly(fold, fold.seen) for fold in folds],
        [_answered_rightly(fold, fold.unseen) for fold in folds],
    ]
    distances = [torch.cat([kind.distances for kind in side]) for side in sides]
    highest = [torch.cat([kind.highest for kind in side]) for side in sides]
    return Calibration(temperature, *fit_limit(distances, highest))


def _answered_rightly(fold: Validated, kind: ValidatedKind) -> ValidatedKind:
    """Return the images whose class has the highest score among those of its kind; all images where there are none."""
    same = (torch.arange(kind.scores.shape[1]) < fold.seen_classes) == (kind is fold.seen)
    right = kind.scores.masked_fill(~same, -torch.inf).argmax(dim=1) == kind.labels
    return ValidatedKind(*(part[right] for part in kind)) if bool(right.any()) else kind


def set_calibration(
    classifier: ZeroShotClassifier, benchmark: Benchmark, index: Int[Tensor, "N"], calibration: Calibration
) -> None:
    """Give a classifier, trained on the images ``index``, the results of :func:`calibrate`."""
    temperature, *limit = calibration
    classifier.temperature = temperature
    familiarity = Familiarity(reference_of(classifier, benchmark, index), Limit(*limit))
    classifier.familiarity = familiarity.to(classifier.device)


@torch.no_grad()
def reference_of(classifier: ZeroShotClassifier, benchmark: Benchmark, index: Int[Tensor, "N"]) -> FeatureDistribution:
    """Return the distribution of the features of training images."""
    batches = classifier.describe(benchmark.inputs, index=spread(index, MOST_IMAGES))
    return fit_distribution(torch.cat([features.cpu() for _, features in batches]))


@torch.no_grad()
def gamma_keeping_seen(classifier: ZeroShotClassifier, benchmark: Benchmark, index: Int[Tensor, "N"]) -> float:
    """Return the γ at which the share :data:`KEPT` of the right training images stays right against the new classes.

    The new classes are those of the table without training images. Only their descriptions are used, so this γ rests
    on no validation class.

    Args:
        classifier: the classifier, trained on the images ``index``.
        benchmark: the images, and the table with seen and new classes.
        index: the training images.
    """
    semantics = benchmark.semantics
    known = set(classifier.seen_classes)
    is_seen = torch.tensor([name in known for name in semantics.classes])
    index = spread(index, MOST_IMAGES)
    scores = classifier.class_scores(
        classifier.examine(benchmark.inputs, index=index)[0], classifier.class_vectors(semantics)
    )
    labels = benchmark.labels[index]
    margin, right = seen_unseen_margins(scores, labels, is_seen)
    return curve_from_margins(margin, right, labels, is_seen).keeping(KEPT)
