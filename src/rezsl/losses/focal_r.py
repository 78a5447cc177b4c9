"""Focal-R, the focal loss of regression (Yang et al., Delving into Deep Imbalanced Regression, ICML 2021)."""

from typing import Literal, get_args

import torch

from rezsl.errors import ArgumentError
from rezsl.functional.shapes import Labels, Predictions, Scalar
from rezsl.losses.regression_loss import RegressionLoss

Activation = Literal["sigmoid", "tanh"]
ErrorKind = Literal["squared", "absolute"]


class FocalRLoss(RegressionLoss):
    """Errors weighted by a growing function of their own size: large ones count more.

    With e = |Â_is − A_{y_i s}|, the mean over samples i and semantics s of

        e² · (2 σ(beta · e) − 1)^gamma    activation ``sigmoid``; the bracket equals tanh(beta · e / 2)
        e² · tanh(beta · e)^gamma         activation ``tanh``

    and of the same with e in place of e² for ``absolute`` errors. The gradient flows through the weight too.

    Args:
        beta: how fast the weight rises, positive. The reference code has 0.2 for ages in years; the errors of
            directions are a few hundredths, and the default brings them to where the weight bends.
        gamma: exponent of the weight, 0 or more (0 switches it off).
        activation: what the weight is made of.
        error: what is weighted.
        normalize: scale predictions and targets to length 1 per row first.

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
        if not 0 < beta < float("inf"):
            raise ArgumentError(f"beta: expected a positive number, got {beta}")
        if not 0 <= gamma < float("inf"):
            raise ArgumentError(f"gamma: expected a finite number of at least 0, got {gamma}")
        for name, option, allowed in (
            ("activation", activation, get_args(Activation)),
            ("error", error, get_args(ErrorKind)),
        ):
            if option not in allowed:
                raise ArgumentError(f"{name}: expected one of {', '.join(allowed)}, got {option!r}")
        self.beta, self.gamma, self.activation, self.error = beta, gamma, activation, error

    def forward(self, prediction: Predictions, target: Predictions, labels: Labels) -> Scalar:
        """The loss of a batch; ``labels`` are not needed."""
        size = self.differences(prediction, target).abs()
        slope = self.beta / 2 if self.activation == "sigmoid" else self.beta
        weight = (slope * size).tanh()
        # A root of 0 has an endless gradient; such a cell's loss is 0 whatever it is weighted by.
        counts = size.square() * weight > 0
        weight = torch.where(counts, weight, 1.0) ** self.gamma
        errors = size.square() if self.error == "squared" else torch.where(counts, size, 0.0)
        return (weight * errors).mean()

    def extra_repr(self) -> str:
        """The options, as PyTorch prints them."""
        return (
            f"beta={self.beta}, gamma={self.gamma}, activation={self.activation!r}, error={self.error!r}, "
            f"{super().extra_repr()}"
        )
