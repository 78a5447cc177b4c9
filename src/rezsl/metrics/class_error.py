"""The class × semantic error matrix, streamed."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchmetrics import Metric

from rezsl.functional.shapes import Labels, Predictions


class ClassError(Metric):
    """Mean error of each class in each semantic: the matrix that ReMSE evens out.

    Args:
        num_classes: C; labels lie in ``[0, C)``.
        num_semantics: S.
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self, num_classes: int, num_semantics: int) -> None:
        super().__init__()
        self.add_state("total", torch.zeros(num_classes, num_semantics, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(num_classes, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, errors: Predictions, labels: Labels) -> None:
        """Add a batch of errors ``[B, S]`` of samples with labels ``[B]``."""
        self.total.index_add_(0, labels, errors.double())
        self.count += torch.bincount(labels, minlength=len(self.count))

    def compute(self) -> tuple[Float[Tensor, "K S"], Int[Tensor, "K"]]:
        """The matrix of the K classes that occurred, and which they are."""
        classes = self.count.nonzero().squeeze(1)
        return self.total[classes] / self.count[classes].unsqueeze(1), classes

    def _wrap_compute(self, compute: Callable[..., Any]) -> Callable[..., Any]:
        wrapped = super()._wrap_compute(compute)

        @wraps(compute)
        def in_shape() -> tuple[Tensor, Tensor]:
            # torchmetrics turns every result of one element into a scalar: also the list of a single class.
            matrix, classes = wrapped()
            return matrix.reshape(-1, self.total.shape[1]), classes.reshape(-1)

        return in_shape
