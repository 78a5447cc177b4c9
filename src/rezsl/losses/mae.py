"""Mean absolute error on semantics."""

from rezsl.functional.shapes import Labels, Predictions, Scalar
from rezsl.losses.regression_loss import RegressionLoss


class MAELoss(RegressionLoss):
    """L = mean over samples i and semantics s of |Â_is − A_{y_i s}|.

    >>> import torch
    >>> loss = MAELoss(normalize=False)
    >>> loss(torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 0.0]]), torch.tensor([0]))
    tensor(1.5000)
    """

    def forward(self, prediction: Predictions, target: Predictions, labels: Labels) -> Scalar:
        """The loss of a batch; ``labels`` are not needed."""
        return self.differences(prediction, target).abs().mean()
