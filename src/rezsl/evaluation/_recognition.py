"""How a set of samples is recognised among a set of candidate classes."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.evaluation._evaluation import AnalysisOptions, PredictedSamples
from rezsl.functional.recognition import Hubness, Mistakes, Reliability, hubness, reliability, study_mistakes
from rezsl.functional.scoring import calibrated_choice, confusion_counts
from rezsl.functional.shapes import ClassMask, Scores


class ConfusedPair(NamedTuple):
    """A class whose samples are recognised as another class.

    Attributes:
        truth: name of the class.
        chosen: name of the other class.
        samples: number of its samples that are recognised as the other class.
        share: of all its samples, in ``[0, 1]``.
    """

    truth: str
    chosen: str
    samples: int
    share: float


@dataclass(frozen=True, eq=False)
class Recognition:
    """The recognition of M samples among C candidate classes.

    Attributes:
        candidates: names of the C classes, in the order of the semantics table.
        sample: rows of the predictions that these samples are, ascending, ``[M]``.
        truth: true class of each sample, ``[M]``, a position among ``candidates``.
        chosen: class with the highest calibrated score, ``[M]``, a position among ``candidates``.
        class_accuracy: accuracy of each class, ``[C]``, in ``[0, 1]``; NaN for a class without samples.
        confusion: number of samples of each class (row) that were recognised as each class (column), ``[C, C]``.
        mistakes: the wrongly recognised samples; their ``position`` is an index of ``sample``.
        hubness: how often each class is among the nearest of a sample.
        reliability: how well the probabilities agree with the accuracy.
    """

    candidates: tuple[str, ...]
    sample: Int[Tensor, "M"]
    truth: Int[Tensor, "M"]
    chosen: Int[Tensor, "M"]
    class_accuracy: Float[Tensor, "C"]
    confusion: Int[Tensor, "C C"]
    mistakes: Mistakes
    hubness: Hubness
    reliability: Reliability

    @property
    def accuracy(self) -> float:
        """Accuracy averaged over the classes with samples, in ``[0, 1]``."""
        return float(self.class_accuracy.nanmean())

    @property
    def accuracy_of(self) -> dict[str, float]:
        """The accuracies ``class_accuracy`` by class name."""
        return dict(zip(self.candidates, self.class_accuracy.tolist(), strict=True))

    @property
    def confusion_rates(self) -> Float[Tensor, "C C"]:
        """Share of each class (row) that is recognised as each class (column); a row sums to 1, or is NaN."""
        return self.confusion / self.confusion.sum(dim=1, keepdim=True).double()

    @property
    def hubs(self) -> tuple[str, ...]:
        """Names of the hubs, the most frequent first."""
        order = self.hubness.occurrence.argsort(descending=True, stable=True).tolist()
        return tuple(self.candidates[column] for column in order if self.hubness.is_hub[column])

    def most_confused(self, count: int) -> list[ConfusedPair]:
        """Return the ``count`` pairs of classes with the highest share of confused samples, the worst first."""
        rates = self.confusion_rates.nan_to_num().fill_diagonal_(0.0)
        order = rates.flatten().argsort(descending=True, stable=True)[:count].tolist()
        cells = (divmod(cell, len(self.candidates)) for cell in order)
        return [
            ConfusedPair(self.candidates[t], self.candidates[c], int(self.confusion[t, c]), float(rates[t, c]))
            for t, c in cells
            if rates[t, c] > 0
        ]


def recognise(
    samples: PredictedSamples, scores: Scores, is_candidate: ClassMask, gamma: float, options: AnalysisOptions
) -> Recognition:
    """Recognise the samples of the candidate classes among these at a given γ, and compare the choices with the truth.

    ``scores`` ``[N, C]`` are those of all samples for all classes, from which γ is not subtracted.
    """
    columns = is_candidate.nonzero().squeeze(1)
    rows = is_candidate[samples.labels].nonzero().squeeze(1)
    if len(columns) < len(is_candidate):
        scores = scores[rows][:, columns]
    truth = torch.searchsorted(columns, samples.labels[rows])
    chosen, confidence, calibrated = calibrated_choice(scores, samples.is_seen[columns], gamma, samples.temperature)
    confusion = confusion_counts(truth, chosen, len(columns))
    return Recognition(
        candidates=tuple(samples.semantics.classes[column] for column in columns.tolist()),
        sample=rows,
        truth=truth,
        chosen=chosen,
        class_accuracy=confusion.diagonal() / confusion.sum(dim=1).double(),
        confusion=confusion,
        mistakes=study_mistakes(samples.predictions[rows], samples.semantics.values[columns], truth, chosen),
        hubness=hubness(calibrated, options.neighbours),
        reliability=reliability(confidence, chosen == truth, options.confidence_bins, options.confidence_binning),
    )
