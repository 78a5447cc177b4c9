"""Class-averaged accuracy, streamed."""

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric

from rezsl.functional.shapes import Labels, Scalar


class MeanClassAccuracy(Metric):
    """Accuracy averaged over the classes that occur in the target; the T1 of zero-shot learning.

    Keeps two counts per class. Unlike ``macro`` averages of general libraries, a class that was predicted but never
    occurs does not count as a zero.

    Args:
        num_classes: C; labels lie in ``[0, C)``.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    right: Tensor
    count: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.add_state("right", torch.zeros(num_classes, dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(num_classes, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, predicted: Labels, target: Labels) -> None:
        """Add a batch of predicted and true classes."""
        self.count += torch.bincount(target, minlength=len(self.count))
        self.right += torch.bincount(target[predicted == target], minlength=len(self.count))

    def per_class(self) -> Float[Tensor, "C"]:
        """Accuracy of each class, over all processes; NaN where a class has not occurred."""
        with self.sync_context(dist_sync_fn=self.dist_sync_fn):
            return self.right.double() / self.count

    def compute(self) -> Scalar:
        """The mean over the classes that occurred; NaN before the first."""
        return (self.right.double() / self.count).nanmean()
