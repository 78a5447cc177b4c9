"""Losses of single errors: squared, absolute, Huber's and the focal loss of regression."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from rezsl.errors import check_choice, check_not_negative, check_positive
from rezsl.functional.shapes import Labels, Predictions, Scalar
from rezsl.losses._loss import RegressionLoss

Activation = Literal["sigmoid", "tanh"]
ErrorKind = Literal["squared", "absolute"]


class MSELoss(RegressionLoss):
    """L = mean over samples i and attributes s of (Â_is − A_{y_i s})².

    Equal to :class:`ReMSELoss` with both powers 0.

    >>> loss = MSELoss(normalize=False)
    >>> loss(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 0.0]]), torch.tensor([0]))
    tensor(0.5000)
    """

    def forward(self, prediction: Predictions, target: Predictions, labels: Labels) -> Scalar:
        """Return the loss of a batch; ``labels`` are not used."""
        return self.differences(prediction, target).square().mean()


class RMSELoss(RegressionLoss):
    """L = √(mean over samples i and attributes s of (Â_is − A_{y_i s})²).

    Its gradient is that of :class:`MSELoss` divided by 2 L, so it does not shrink as the errors do.

    >>> loss = RMSELoss(normalize=False)
    >>> loss(torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 0.0]]), torch.tensor([0]))
    tensor(1.4142)
    """

    def forward(self, prediction: Predictions, target: Predictions, labels: Labels) -> Scalar:
        """Return the loss of a batch; ``labels`` are not used."""
        return safe_root(self.differences(prediction, target).square().mean())


class MAELoss(RegressionLoss):
    """L = mean over samples i and attributes s of |Â_is − A_{y_i s}|.

    >>> loss = MAELoss(normalize=False)
    >>> loss(torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 0.0]]), torch.tensor([0]))
    tensor(1.5000)
    """

    def forward(self, prediction: Predictions, target: Predictions, labels: Labels) -> Scalar:
        """Return the loss of a batch; ``labels`` are not used."""
        return self.differences(prediction, target).abs().mean()


class HuberLoss(RegressionLoss):
    """Squared error near 0, absolute error further out, so that a few large errors do not dominate the gradient.

    Huber, Robust estimation of a location parameter, 1964. With d = Â_is − A_{y_i s}, the mean over samples i and
    attributes s of

        d² / 2             where |d| ≤ delta
        delta · (|d| − delta / 2)   elsewhere

    Args:
        delta: the difference at which the two meet, positive; differences of directions are a few hundredths.

    >>> loss = HuberLoss(delta=1.0, normalize=False)
    >>> loss(torch.tensor([[1.0, 3.0]]), torch.zeros(1, 2), torch.tensor([0]))  # mean of 0.5 and 2.5
    tensor(1.5000)
    """

    def __init__(self, delta: float = 0.05, normalize: bool = True) -> None:
        super().__init__(normalize)
        check_positive(delta=delta)
        self.delta = delta

    def forward(self, prediction: Predictions, target: Predictions, labels: Labels) -> Scalar:
        """Return the loss of a batch; ``labels`` are not used."""
        difference = self.differences(prediction, target)
        return F.huber_loss(difference, torch.zeros_like(difference), delta=self.delta)


class FocalRLoss(RegressionLoss):
    """Focal-R: errors weighted by a growing function of their own size, so that large errors count more.

    Yang et al., Delving into Deep Imbalanced Regression, ICML 2021. With e = |Â_is − A_{y_i s}|, the mean over samples
    i and attributes s of

        e² · (2 σ(beta · e) − 1)^gamma    activation ``sigmoid``; the bracket equals tanh(beta · e / 2)
        e² · tanh(beta · e)^gamma         activation ``tanh``

    and of the same with e in place of e² for ``absolute`` errors. The gradient flows through the weight too.

    Args:
        beta: slope of the weight, positive. The reference code uses 0.2 for ages in years; errors of directions are a
            few hundredths, and with the default the weight bends at that size.
        gamma: exponent of the weight, 0 or more; with 0 all weights are 1.
        activation: the function that gives the weight.
        error: the error that is weighted.

    >>> loss = FocalRLoss(beta=1.0, gamma=1.0, activation="tanh", normalize=False)
    >>> loss(torch.tensor([[2.0]]), torch.tensor([[0.0]]), torch.tensor([0]))  # 4 tanh(2)
    tensor(3.8561)
    """

    def __init__(
        self,
        beta: float = 20.0,
        gamma: float = 1.0,
        activation: Activation = "sigmoid",
        error: ErrorKind = "squared",
        normalize: bool = True,
    ) -> None:
        super().__init__(normalize)
        check_positive(beta=beta)
        check_not_negative(gamma=gamma)
        check_choice(Activation, activation=activation)
        check_choice(ErrorKind, error=error)
        self.beta, self.gamma, self.activation, self.error = beta, gamma, activation, error

    def forward(self, prediction: Predictions, target: Predictions, labels: Labels) -> Scalar:
        """Return the loss of a batch; ``labels`` are not used."""
        size = self.differences(prediction, target).abs()
        slope = self.beta / 2 if self.activation == "sigmoid" else self.beta
        weight = (slope * size).tanh()
        # A root of 0 has an infinite gradient. The loss of such a cell is 0 whatever its weight is.
        counts = size.square() * weight > 0
        weight = torch.where(counts, weight, 1.0) ** self.gamma
        errors = size.square() if self.error == "squared" else torch.where(counts, size, 0.0)
        return (weight * errors).mean()


def safe_root(value: Scalar) -> Scalar:
    """Return √value; at 0, where the root has no gradient, the result is 0 with a gradient of 0."""
    root: Tensor = torch.where(value > 0, value, 1.0).sqrt() * (value > 0)
    return root
