"""Hubness: some classes are among the nearest of far too many samples (Radovanović et al., JMLR 2010)."""

from dataclasses import dataclass

from jaxtyping import Bool, Int
from torch import Tensor


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
