"""Huber's loss on semantics (Robust estimation of a location parameter, 1964)."""

import torch
from torch.nn import functional as F

from rezsl.errors import ArgumentError
from rezsl.functional.shapes import Labels, Predictions, Scalar
from rezsl.losses.regression_loss import RegressionLoss


class HuberLoss(RegressionLoss):
    """Squared error near 0, absolute error further out: a few wild errors do not decide the gradient.

    With d = Â_is − A_{y_i s}, the mean over samples i and semantics s of

        d² / 2             where |d| ≤ delta
        delta · (|d| − delta / 2)   elsewhere

    Args:
        delta: where the two meet, positive, in units of the differences; those of directions are a few hundredths.
        normalize: scale predictions and targets to length 1 per row first.

    >>> loss = HuberLoss(delta=1.0, normalize=False)
    >>> loss(torch.tensor([[1.0, 3.0]]), torch.zeros(1, 2), torch.tensor([0]))  # mean of 0.5 and 2.5
    tensor(1.5000)
    """

    def __init__(self, delta: float = 0.05, normalize: bool = True) -> None:
        super().__init__(normalize)
        if not 0 < delta < float("inf"):
            raise ArgumentError(f"delta: expected a positive number, got {delta}")
        self.delta = delta

    def forward(self, prediction: Predictions, target: Predictions, labels: Labels) -> Scalar:
        """The loss of a batch; ``labels`` are not needed."""
        difference = self.differences(prediction, target)
        return F.huber_loss(difference, torch.zeros_like(difference), delta=self.delta)

    def extra_repr(self) -> str:
        """The options, as PyTorch prints them."""
        return f"delta={self.delta}, {super().extra_repr()}"
