"""Losses of Yang et al., Delving into Deep Imbalanced Regression, ICML 2021: INV, LDS, Focal-R and RRT."""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.errors import (
    ArgumentError,
    check_at_least,
    check_between_0_and_1,
    check_choice,
    check_not_negative,
    check_positive,
)
from rezsl.functional.binning import Kernel, label_bins, smoothing_matrix
from rezsl.functional.shapes import ClassMatrix, Labels, Predictions, Scalar
from rezsl.losses._loss import RegressionLoss, prepared
from rezsl.losses.regression import ErrorKind

Activation = Literal["sigmoid", "tanh"]


class InverseFrequencyLoss(RegressionLoss):
    """INV and SQINV: errors divided by the number of training samples in the bin of their true value.

    The values of each attribute over the training classes (of their directions, if normalised) fall into bins; the
    density p_sb of a bin is the number of training samples of the classes in it, as batches draw them. With b, the bin
    of A_cs,

        w_cs = 1 / p_sb (INV) or 1 / √p_sb (SQINV), divided by its mean over the training samples, per attribute
        L    = mean over samples i and attributes s of w_{y_i s} · E_is

    :meth:`prepare` computes the weights from the training set, so the ``state_dict`` does not contain them.

    Args:
        bins: number of bins per attribute, at least 1.
        square_root: divide by the square root of the density, which gives milder weights.
        error: E: ``squared`` or ``absolute`` differences.

    >>> loss = InverseFrequencyLoss(bins=2, normalize=False)
    >>> loss.prepare(torch.tensor([[0.0], [1.0]]), torch.tensor([3, 1]))
    >>> loss.class_weights  # 1/3 and 1, divided by their mean over the four samples, 1/2
    tensor([[0.6667],
            [2.0000]])
    """

    class_weights: Float[Tensor, "C S"] | None

    def __init__(
        self, bins: int = 20, square_root: bool = False, error: ErrorKind = "squared", normalize: bool = True
    ) -> None:
        super().__init__(normalize)
        check_at_least(1, bins=bins)
        check_choice(ErrorKind, error=error)
        self.bins, self.square_root, self.error = bins, square_root, error
        self.register_buffer("class_weights", None, persistent=False)

    def effective_density(self, density: Float[Tensor, "S N"]) -> Float[Tensor, "S N"]:
        """Return the density by which errors are divided, from the number of training samples in each bin."""
        return density

    def prepare(self, class_semantics: ClassMatrix, class_counts: Int[Tensor, "C"]) -> None:
        """Compute the weights; see :class:`RegressionLoss`."""
        compared = self.normalize_rows(class_semantics)
        bins = label_bins(compared, self.bins)
        density = self.effective_density(bins.density(compared, class_counts)).T.gather(0, bins.bin_of(compared))
        weights = 1 / (density.sqrt() if self.square_root else density)
        counts = class_counts.to(weights).unsqueeze(1)
        self.class_weights = weights * counts.sum() / (counts * weights).sum(dim=0)

    def forward(self, prediction: Predictions, target: Predictions, labels: Labels) -> Scalar:
        """Return the loss of a batch; see :class:`RegressionLoss` for the arguments."""
        difference = self.differences(prediction, target)
        errors = difference.square() if self.error == "squared" else difference.abs()
        return (prepared(self.class_weights)[labels].to(errors.dtype) * errors).mean()


class LDSLoss(InverseFrequencyLoss):
    """Label distribution smoothing (section 3.1): errors divided by the smoothed density of their true value.

    It is :class:`InverseFrequencyLoss` of p̃_b = Σ_b' k(b, b') p_b' with the kernels of
    :func:`rezsl.functional.binning.smoothing_matrix`; bins beyond the outer ones count as empty.

    Args:
        kernel: shape of k.
        reach: number of bins on either side that count; the paper's window of 5 has reach 2.
        spread: standard deviation of ``gaussian`` and scale of ``laplace``, in bins.
    """

    def __init__(
        self,
        bins: int = 20,
        kernel: Kernel = "gaussian",
        reach: int = 2,
        spread: float = 2.0,
        square_root: bool = True,
        error: ErrorKind = "squared",
        normalize: bool = True,
    ) -> None:
        super().__init__(bins, square_root, error, normalize)
        self.smoothing = smoothing_matrix(kernel, reach, spread, bins)

    def effective_density(self, density: Float[Tensor, "S N"]) -> Float[Tensor, "S N"]:
        """Return the density, smoothed over the bins."""
        return density @ self.smoothing.to(density)


class FocalRLoss(RegressionLoss):
    """Focal-R: errors weighted by a growing function of their own size, so that large errors count more.

    With e = |Â_is − A_{y_i s}|, the mean over samples i and attributes s of

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


class RRTLoss(RegressionLoss):
    """Regressor re-training (RRT), two losses, one after the other: L = first, and in the last epochs second.

    The method is of Yang et al., ICML 2021, after Kang et al., Decoupling Representation, ICLR 2020.
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
                raise ArgumentError(f"{name}: expected a loss of one stage, got an RRTLoss; give its own losses")
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
