"""Features and labels to train on, with nothing held out."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.data import Benchmark, Split
from rezsl.semantics import ClassSemantics


class TrainingSamples(Benchmark):
    """A benchmark of training samples alone: whoever calls an estimator holds out its own test samples and classes.

    A benchmark without unseen classes tests nothing and is refused; training does not need any. Features, labels and
    semantics were checked by the estimator.

    Args:
        features: ``[N, D]``.
        labels: row of ``semantics`` of every sample, ``[N]``.
        semantics: of the classes in training, and perhaps of more.
    """

    def __init__(self, features: Float[Tensor, "N D"], labels: Int[Tensor, "N"], semantics: ClassSemantics) -> None:
        super().__init__("training samples", features, labels, semantics, Split(torch.arange(len(labels))))

    def __post_init__(self) -> None:
        """Nothing is left to check."""
