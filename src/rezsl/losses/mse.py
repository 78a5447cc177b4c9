"""Mean squared error on semantics: the loss that ReMSE re-balances."""

from rezsl.functional.shapes import Labels, Predictions, Scalar
from rezsl.losses.regression_loss import RegressionLoss


class MSELoss(RegressionLoss):
    """L = mean over samples i and semantics s of (Â_is − A_{y_i s})².

    Equal to :class:`ReMSELoss` with both powers 0.

    >>> import torch
    >>> loss = MSELoss(normalize=False)
    >>> loss(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 0.0]]), torch.tensor([0]))
    tensor(0.5000)
    """

    def forward(self, prediction: Predictions, target: Predictions, labels: Labels) -> Scalar:
        """The loss of a batch; ``labels`` are not needed."""
        return self.differences(prediction, target).square().mean()
