"""How fast the errors fall from epoch to epoch, and whether that follows the semantics' values."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from rezsl.functional.correlation import Correlations
from rezsl.functional.value_bins import ValueBins


@dataclass(frozen=True, eq=False)
class ErrorFall:
    """How fast the errors of a run fall.

    Attributes:
        epochs: at which the errors were measured, ``[E]``.
        rate: of every cell, ``[K, S]``: minus the slope of the least-squares line of ln error over epochs, in 1/epoch;
            0.1 means that an error falls by about 10 % per epoch, negative that it grows. Epochs in which a cell has
            no error are left out of its line; NaN with fewer than two left.
        mean_error: mean over all cells in each epoch, ``[E]``.
        by_value: the rate in bins of the semantic value.
        correlation_over_classes: per semantic ``[S]``, between value and rate; NaN where a rate is missing.
    """

    epochs: Float[Tensor, "E"]
    rate: Float[Tensor, "K S"]
    mean_error: Float[Tensor, "E"]
    by_value: ValueBins
    correlation_over_classes: Correlations
