"""Losses of single errors: squared, absolute, and Huber's."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from rezsl.errors import check_positive
from rezsl.functional.shapes import Labels, Predictions, Scalar
from rezsl.losses._loss import RegressionLoss

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

    Args:
        per_cell: take the root of each error instead, L = mean over i and s of √((Â_is − A_{y_i s})² + 10⁻¹⁰), as the
            published code of Rebalanced Zero-shot Learning does under the name RMSE. This is :class:`MAELoss` but for
            errors of about 10⁻⁵ and less.

    >>> loss = RMSELoss(normalize=False)
    >>> loss(torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 0.0]]), torch.tensor([0]))
    tensor(1.4142)
    """

    def __init__(self, normalize: bool = True, per_cell: bool = False) -> None:
        super().__init__(normalize)
        self.per_cell = per_cell

    def forward(self, prediction: Predictions, target: Predictions, labels: Labels) -> Scalar:
        """Return the loss of a batch; ``labels`` are not used."""
        squared = self.differences(prediction, target).square()
        return cell_roots(squared).mean() if self.per_cell else safe_root(squared.mean())


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


def cell_roots(squared: Predictions) -> Predictions:
    """Return √(squared + 10⁻¹⁰) of every cell; the summand gives the root a gradient at 0."""
    return (squared + 1e-10).sqrt()


def safe_root(value: Scalar) -> Scalar:
    """Return √value; at 0, where the root has no gradient, the result is 0 with a gradient of 0; of NaN it is NaN."""
    root: Tensor = torch.where(value == 0, 1.0, value).sqrt() * (value != 0)
    return root
