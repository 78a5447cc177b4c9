"""Hubness: some classes are among the nearest of far too many samples (Radovanović et al., JMLR 2010)."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from rezsl.errors import ArgumentError
from rezsl.functional.shapes import Labels, Scores


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
