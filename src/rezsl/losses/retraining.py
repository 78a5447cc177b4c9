"""Regressor re-training: RRT (Yang et al., ICML 2021, after Kang et al., Decoupling Representation, ICLR 2020)."""

from jaxtyping import Int
from torch import Tensor

from rezsl.errors import ArgumentError, check_between_0_and_1
from rezsl.functional.shapes import ClassMatrix, Labels, Predictions, Scalar
from rezsl.losses._loss import RegressionLoss


class RRTLoss(RegressionLoss):
    """Two losses, one after the other: L = first, and in the last epochs second.

    When the second loss begins, training gives the read-out new random weights, and from then on only the read-out
    learns; all other parameters and the statistics of batch normalisation stay unchanged. Each of the two losses has a
    learning-rate schedule of its own. The classification loss is part of the objective in all epochs. The epoch of the
    change follows from ``max_epochs``, as schedules do; if fewer epochs are selected, the second loss may never begin.

    Args:
        first: trains the whole model; ``MSELoss`` in the paper.
        second: trains the read-out; a balancing loss such as ``InverseFrequencyLoss(square_root=True)``.
        share: share of the epochs that use the second loss, in (0, 1); at least one epoch, and at most all but one.
    """

    def __init__(self, first: RegressionLoss, second: RegressionLoss, share: float = 0.3) -> None:
        super().__init__()
        check_between_0_and_1(share=share)
        for name, part in (("first", first), ("second", second)):
            if isinstance(part, RRTLoss):
                raise ArgumentError(f"{name}: expected a loss of one stage, got an RRTLoss")
        self.first, self.second, self.share = first, second, share
        self.retraining = False

    def change(self, max_epochs: int) -> int:
        """Return the first epoch of the second loss, counted from 0; ``max_epochs`` is 1 or more."""
        return max(1, max_epochs - max(1, round(self.share * max_epochs)))

    def start_epoch(self, epoch: int, max_epochs: int) -> None:
        """Choose the loss of an epoch, which is counted from 0."""
        self.retraining = epoch >= self.change(max_epochs)

    def prepare(self, class_semantics: ClassMatrix, class_counts: Int[Tensor, "C"]) -> None:
        """Prepare both losses; see :class:`RegressionLoss`."""
        for loss in (self.first, self.second):
            loss.prepare(class_semantics, class_counts)

    def forward(self, prediction: Predictions, target: Predictions, labels: Labels) -> Scalar:
        """Return the loss of a batch, computed by the loss of this epoch."""
        loss = self.second if self.retraining else self.first
        value: Scalar = loss(prediction, target, labels)
        return value
