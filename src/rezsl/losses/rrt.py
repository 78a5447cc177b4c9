"""Regressor re-training (RRT in Yang et al., ICML 2021, after Kang et al., Decoupling Representation, ICLR 2020)."""

from jaxtyping import Int
from torch import Tensor

from rezsl.errors import ArgumentError
from rezsl.functional.shapes import ClassMatrix, Labels, Predictions, Scalar
from rezsl.losses.regression_loss import RegressionLoss


class RRTLoss(RegressionLoss):
    """Two losses, one after the other: L = first, and in the last epochs second.

    When the second takes over, training gives the read-out new random weights, and from then on only the read-out
    learns; whatever comes before it stays as it is, with its statistics of batch normalisation. Each of the two has a
    learning-rate schedule of its own. The classification loss stays in the objective all along. The epoch of the change
    follows from ``max_epochs``, as schedules do: where fewer epochs are selected, the second may never begin.

    Args:
        first: trains the whole model; ``MSELoss`` in the paper.
        second: trains the read-out; one that balances, such as ``InverseFrequencyLoss(square_root=True)``.
        share: of the epochs that are the second's, in (0, 1); at least one, and at most all but one.
    """

    def __init__(self, first: RegressionLoss, second: RegressionLoss, share: float = 0.3) -> None:
        super().__init__()
        if not 0 < share < 1:
            raise ArgumentError(f"share: expected a number between 0 and 1, got {share}")
        for name, part in (("first", first), ("second", second)):
            if isinstance(part, RRTLoss):
                raise ArgumentError(f"{name}: expected a loss of one stage, got an RRTLoss")
        self.first, self.second, self.share = first, second, share
        self.retraining = False

    def change(self, max_epochs: int) -> int:
        """The epoch, counted from 0, with which the second loss begins; ``max_epochs`` is 1 or more."""
        return max(1, max_epochs - max(1, round(self.share * max_epochs)))

    def start_epoch(self, epoch: int, max_epochs: int) -> None:
        """Choose the loss of an epoch, counted from 0."""
        self.retraining = epoch >= self.change(max_epochs)

    def prepare(self, class_semantics: ClassMatrix, class_counts: Int[Tensor, "C"]) -> None:
        """Prepare both; see :class:`RegressionLoss`."""
        self.first.prepare(class_semantics, class_counts)
        self.second.prepare(class_semantics, class_counts)

    def forward(self, prediction: Predictions, target: Predictions, labels: Labels) -> Scalar:
        """The loss of a batch, by the one of this epoch."""
        loss = self.second if self.retraining else self.first
        value: Scalar = loss(prediction, target, labels)
        return value

    def extra_repr(self) -> str:
        """The option, as PyTorch prints it; the two losses stand below it."""
        return f"share={self.share}"
