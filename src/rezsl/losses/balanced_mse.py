"""What the three forms of Balanced MSE have in common (Ren et al., Balanced MSE, CVPR 2022)."""

import math
from abc import abstractmethod

import torch
from torch import Tensor, nn

from rezsl.errors import ArgumentError
from rezsl.functional.shapes import Labels, Predictions, Scalar
from rezsl.losses.regression_loss import RegressionLoss


class BalancedMSELoss(RegressionLoss):
    """Likelihood of the target under the prediction, corrected for how often each target is met in training.

    With N, the normal density of standard deviation σ, and p_train, the density of targets in training,

        L = 2 σ² · mean of (−ln N(A; Â, σ²) + ln ∫ N(A'; Â, σ²) p_train(A') dA')

    The factor 2 σ² carries no gradient: it gives the first term the scale of a squared error. The subclasses differ in
    p_train. σ is learnt along with the model, as ``log_noise``, its logarithm.

    Args:
        noise: σ at the start, positive, in units of the semantics (of their directions, if normalised).
        normalize: scale predictions and targets to length 1 per row first.
    """

    def __init__(self, noise: float, normalize: bool) -> None:
        super().__init__(normalize)
        if not 0 < noise < float("inf"):
            raise ArgumentError(f"noise: expected a positive number, got {noise}")
        self.noise = noise
        self.log_noise = nn.Parameter(torch.tensor(math.log(noise)))

    @abstractmethod
    def balanced(self, prediction: Predictions, target: Predictions, labels: Labels, variance: Scalar) -> Scalar:
        """The mean in the formula, of predictions and targets as they are compared, for σ² = ``variance``."""

    def forward(self, prediction: Predictions, target: Predictions, labels: Labels) -> Scalar:
        """The loss of a batch; see :class:`RegressionLoss` for the arguments."""
        nowhere = torch.zeros_like(prediction)
        compared = self.differences(prediction, nowhere)
        target = self.differences(target.to(compared.dtype), nowhere)
        variance = (2 * self.log_noise).exp().to(compared.dtype)
        return 2 * variance.detach() * self.balanced(compared, target, labels, variance)

    def extra_repr(self) -> str:
        """The options, as PyTorch prints them."""
        return f"noise={self.noise}, {super().extra_repr()}"


def prepared(part: Tensor | None) -> Tensor:
    """What :meth:`RegressionLoss.prepare` left behind.

    Raises:
        ArgumentError: it was not called.
    """
    if part is None:
        raise ArgumentError("loss: expected prepare(class_semantics, class_counts) first, got a batch; call it")
    return part
