"""How one set of samples is recognised among one set of classes."""

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor

from rezsl.functional.recognition import Hubness, Mistakes, Reliability


class ConfusedPair(NamedTuple):
    """A class that is taken for another one.

    Attributes:
        truth: name of the class.
        chosen: name of the class that it is taken for.
        samples: how many of its samples are.
        share: of its samples, in ``[0, 1]``.
    """

    truth: str
    chosen: str
    samples: int
    share: float


@dataclass(frozen=True, eq=False)
class Recognition:
    """M samples recognised among C candidate classes.

    Attributes:
        candidates: names of the C classes, in the order of the semantics table.
        sample: rows of the predictions that take part, ascending, ``[M]``.
        truth: class of each, ``[M]``, a position among ``candidates``.
        chosen: the class that was chosen, ``[M]``.
        class_accuracy: accuracy of each class, ``[C]``, in ``[0, 1]``; NaN for a class without samples.
        confusion: samples of each class (row) that were taken for each class (column), ``[C, C]``.
        mistakes: the wrong samples; their ``position`` counts in ``sample``.
        hubness: which classes attract too many samples.
        reliability: what the probabilities are worth.
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
        """The share of each class's samples (row) that was taken for each class; rows sum to 1, or are NaN."""
        return self.confusion / self.confusion.sum(dim=1, keepdim=True).double()

    @property
    def hubs(self) -> tuple[str, ...]:
        """Names of the hubs, the most frequent first."""
        order = self.hubness.occurrence.argsort(descending=True, stable=True).tolist()
        return tuple(self.candidates[column] for column in order if self.hubness.is_hub[column])

    def most_confused(self, count: int) -> list[ConfusedPair]:
        """The ``count`` pairs of different classes with the highest share of confused samples, the worst first."""
        rates = self.confusion_rates.nan_to_num().fill_diagonal_(0.0).flatten()
        pairs = []
        for cell in rates.argsort(descending=True, stable=True)[:count].tolist():
            row, column = divmod(cell, len(self.candidates))
            if rates[cell] > 0:
                times, share = int(self.confusion[row, column]), float(rates[cell])
                pairs.append(ConfusedPair(self.candidates[row], self.candidates[column], times, share))
        return pairs
