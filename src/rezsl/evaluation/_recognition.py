"""How a set of samples is recognised among a set of candidate classes."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.evaluation._options import AnalysisOptions
from rezsl.functional import class_accuracies
from rezsl.functional.recognition import Hubness, Mistakes, Reliability, hubness, reliability, study_mistakes
from rezsl.functional.scoring import calibrated_choice, confusion_counts
from rezsl.functional.shapes import ClassMask, ClassMatrix


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
        rates = self.confusion_rates.nan_to_num().fill_diagonal_(0.0).flatten()
        pairs = []
        for cell in rates.argsort(descending=True, stable=True)[:count].tolist():
            row, column = divmod(cell, len(self.candidates))
            if rates[cell] > 0:
                times, share = int(self.confusion[row, column]), float(rates[cell])
                pairs.append(ConfusedPair(self.candidates[row], self.candidates[column], times, share))
        return pairs


@dataclass(frozen=True, eq=False)
class Contest:
    """M samples to be recognised among C candidate classes.

    Attributes:
        candidates: names of the classes.
        class_semantics: their semantics, ``[C, S]``.
        is_seen: which of them are seen, ``[C]``.
        sample: rows of the evaluated predictions that the samples are, ``[M]``.
        predictions: predicted attributes, ``[M, S]``.
        scores: class scores from which γ is not subtracted, ``[M, C]``.
        truth: class of each sample, ``[M]``, a position among the candidates.
    """

    candidates: tuple[str, ...]
    class_semantics: ClassMatrix
    is_seen: ClassMask
    sample: Int[Tensor, "M"]
    predictions: Float[Tensor, "M S"]
    scores: Float[Tensor, "M C"]
    truth: Int[Tensor, "M"]

    def among_unseen(self) -> "Contest | None":
        """Return the samples of unseen classes with only the unseen classes as candidates; None without any."""
        columns = (~self.is_seen).nonzero().squeeze(1)
        rows = (~self.is_seen[self.truth]).nonzero().squeeze(1)
        if not len(rows):
            return None
        return Contest(
            candidates=tuple(self.candidates[column] for column in columns.tolist()),
            class_semantics=self.class_semantics[columns],
            is_seen=self.is_seen[columns],
            sample=self.sample[rows],
            predictions=self.predictions[rows],
            scores=self.scores[rows][:, columns],
            truth=torch.searchsorted(columns, self.truth[rows]),
        )


def recognise(contest: Contest, gamma: float, options: AnalysisOptions) -> Recognition:
    """Recognise the samples at a given γ and compare the choices with the truth."""
    chosen, confidence, calibrated = calibrated_choice(contest.scores, contest.is_seen, gamma)
    accuracies, present = class_accuracies(chosen, contest.truth)
    of_all = torch.full((len(contest.candidates),), torch.nan, dtype=torch.float64)
    return Recognition(
        candidates=contest.candidates,
        sample=contest.sample,
        truth=contest.truth,
        chosen=chosen,
        class_accuracy=of_all.index_copy(0, present, accuracies),
        confusion=confusion_counts(contest.truth, chosen, len(contest.candidates)),
        mistakes=study_mistakes(contest.predictions, contest.class_semantics, contest.truth, chosen),
        hubness=hubness(calibrated, contest.truth, options.neighbours),
        reliability=reliability(
            confidence, chosen == contest.truth, options.confidence_bins, options.confidence_binning
        ),
    )
