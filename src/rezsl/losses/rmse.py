"""Root mean squared error on semantics."""

import torch

from rezsl.functional.shapes import Labels, Predictions, Scalar
from rezsl.losses.regression_loss import RegressionLoss


class RMSELoss(RegressionLoss):
    """L = √(mean over samples i and semantics s of (Â_is − A_{y_i s})²).

    Its gradient is that of :class:`MSELoss` divided by 2 L: it does not fade as the errors do.

    >>> import torch
    >>> loss = RMSELoss(normalize=False)
    >>> loss(torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 0.0]]), torch.tensor([0]))
    tensor(1.4142)
    """

    def forward(self, prediction: Predictions, target: Predictions, labels: Labels) -> Scalar:
        """The loss of a batch; ``labels`` are not needed."""
        mean = self.differences(prediction, target).square().mean()
        # Where every error is 0 the root has no gradient; the loss is 0 and stays differentiable.
        return torch.where(mean > 0, mean, 1.0).sqrt() * (mean > 0)
