"""How a set of samples is recognised among a set of candidate classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.evaluation._evaluation import AnalysisOptions, PredictedSamples
from rezsl.functional.recognition import (
    Hubness,
    Mistakes,
    Reliability,
    hubness_of,
    occurrences,
    reliability,
    study_mistakes,
)
from rezsl.functional.scoring import calibrated_choice, confusion_counts
from rezsl.functional.shapes import ClassMask, Scores
from rezsl.functional.statistics import add_piece


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
        mistakes: the wrongly recognised samples; their ``position`` is an index of ``sample``.
        hubness: how often each class is among the nearest of a sample.
        reliability: how well the probabilities agree with the accuracy.
    """

    candidates: tuple[str, ...]
    sample: Int[Tensor, "M"]
    truth: Int[Tensor, "M"]
    chosen: Int[Tensor, "M"]
    class_accuracy: Float[Tensor, "C"]
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

    @cached_property
    def class_count(self) -> Int[Tensor, "C"]:
        """Number of samples of each class."""
        return torch.bincount(self.truth, minlength=len(self.candidates))

    @cached_property
    def pairs(self) -> tuple[Int[Tensor, "P"], Int[Tensor, "P"], Int[Tensor, "P"]]:
        """The pairs of a true and a chosen class that occur, in ascending order, and the number of samples of each.

        There are at most as many as samples, while ``confusion`` has a cell for each pair of classes.
        """
        codes, count = torch.unique(self.truth * len(self.candidates) + self.chosen, return_counts=True)
        return codes // len(self.candidates), codes % len(self.candidates), count

    @property
    def confusion(self) -> Int[Tensor, "C C"]:
        """Number of samples of each class (row) that were recognised as each class (column)."""
        return confusion_counts(self.truth, self.chosen, len(self.candidates))

    @property
    def confusion_rates(self) -> Float[Tensor, "C C"]:
        """Share of each class (row) that is recognised as each class (column); a row sums to 1, or is NaN."""
        return self.confusion / self.confusion.sum(dim=1, keepdim=True).double()

    @property
    def hubs(self) -> tuple[str, ...]:
        """Names of the hubs, the most frequent first."""
        order = self.hubness.occurrence.argsort(descending=True, stable=True).tolist()
        return tuple(self.candidates[column] for column in order if self.hubness.is_hub[column])

    def most_confused(self, count: int, name: str | None = None) -> list[ConfusedPair]:
        """Return the ``count`` pairs of classes with the highest share of confused samples, the worst first.

        With the ``name`` of a class, these are only pairs whose true class it is.
        """
        truth, chosen, samples = self.pairs
        if name is not None:
            row = self._row_of[name]
            of_class = slice(*torch.searchsorted(truth, torch.tensor([row, row + 1])).tolist())
            truth, chosen, samples = truth[of_class], chosen[of_class], samples[of_class]
        wrong = truth != chosen
        truth, chosen, samples = truth[wrong], chosen[wrong], samples[wrong]
        rates = samples / self.class_count[truth].double()
        return [
            ConfusedPair(
                self.candidates[int(truth[place])],
                self.candidates[int(chosen[place])],
                int(samples[place]),
                float(rates[place]),
            )
            for place in rates.argsort(descending=True, stable=True)[:count].tolist()
        ]

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.candidates)}


def recognise(
    samples: PredictedSamples, candidates: Sequence[tuple[ClassMask, float]], options: AnalysisOptions
) -> list[Recognition]:
    """Recognise samples among sets of candidate classes, each at its own γ, and compare the choices with the truth.

    Of each set ``[C]`` only the samples of its classes count. The class scores are computed once for all sets, in
    blocks.
    """
    tallies = [_Tally(samples, is_candidate, gamma, options) for is_candidate, gamma in candidates]
    for part, scores in samples.score_blocks():
        for tally in tallies:
            tally.add(part, scores)
    return [tally.result() for tally in tallies]


class _Tally:
    """Collects the choices among some candidate classes, block by block."""

    def __init__(self, samples: PredictedSamples, is_candidate: ClassMask, gamma: float, options: AnalysisOptions):
        self.samples, self.is_candidate, self.gamma, self.options = samples, is_candidate, gamma, options
        self.columns = is_candidate.nonzero().squeeze(1)
        self.is_whole = len(self.columns) == len(is_candidate)
        self.occurrence = torch.zeros_like(self.columns)
        self.chosen, self.confidence = list[Tensor](), list[Tensor]()

    def add(self, part: slice, scores: Scores) -> None:
        """Add the samples of a slice by their scores for all classes, from which γ is not subtracted."""
        columns, samples = self.columns, self.samples
        of_part = scores if self.is_whole else scores[self.is_candidate[samples.labels[part]]][:, columns]
        chosen, confidence, calibrated = calibrated_choice(
            of_part, samples.is_seen[columns], self.gamma, samples.temperature
        )
        self.occurrence += occurrences(calibrated, self.options.neighbours)
        add_piece(self.chosen, chosen)
        add_piece(self.confidence, confidence)

    def result(self) -> Recognition:
        """Return the recognition of all samples so far."""
        columns, samples, options = self.columns, self.samples, self.options
        rows = self.is_candidate[samples.labels].nonzero().squeeze(1)
        truth = torch.searchsorted(columns, samples.labels[rows])
        chosen, confidence = torch.cat(self.chosen), torch.cat(self.confidence)
        count = torch.bincount(truth, minlength=len(columns))
        right = torch.bincount(truth[chosen == truth], minlength=len(columns))
        values = samples.semantics.values if self.is_whole else samples.semantics.values[columns]
        return Recognition(
            candidates=tuple(samples.semantics.classes[column] for column in columns.tolist()),
            sample=rows,
            truth=truth,
            chosen=chosen,
            class_accuracy=right / count.double(),
            mistakes=study_mistakes(samples.predictions, values, truth, chosen, rows),
            hubness=hubness_of(self.occurrence, options.neighbours),
            reliability=reliability(confidence, chosen == truth, options.confidence_bins, options.confidence_binning),
        )
