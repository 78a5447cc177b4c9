"""Errors weighted by how rare true values are (Yang et al., Delving into Deep Imbalanced Regression, ICML 2021)."""

from abc import abstractmethod

from jaxtyping import Float, Int
from torch import Tensor

from rezsl.errors import check_choice
from rezsl.functional.label_bins import Kernel, check_bins, check_kernel, label_bins, smoothing_matrix
from rezsl.functional.shapes import ClassMatrix, Labels, Predictions, Scalar
from rezsl.losses._loss import RegressionLoss, prepared
from rezsl.losses.regression import ErrorKind


class DensityWeightedLoss(RegressionLoss):
    """Errors weighted by how rare the true value of their attribute is among the training samples.

    The values of each attribute over the training classes fall into bins; a bin's density p_sb is the number of
    training samples of the classes in it, as batches draw them. With b, the bin of A_cs, and f, the rule of the
    subclass,

        w_cs = f(p_s)_b, divided by its mean over the training samples, per attribute
        L    = mean over samples i and attributes s of w_{y_i s} · E_is

    :meth:`prepare` computes the weights from the training set, so the ``state_dict`` does not contain them.

    Args:
        bins: number of bins per attribute, at least 1.
        square_root: divide by the square root of the density, which gives milder weights.
        error: E: ``squared`` or ``absolute`` differences.
        normalize: compare directions: predictions and targets are first scaled to length 1 per row.
            The bins are those of the scaled targets.
    """

    def __init__(self, bins: int, square_root: bool, error: ErrorKind, normalize: bool) -> None:
        super().__init__(normalize)
        check_bins(bins)
        check_choice(ErrorKind, error=error)
        self.bins, self.square_root, self.error = bins, square_root, error
        self.class_weights: Float[Tensor, "C S"] | None
        self.register_buffer("class_weights", None, persistent=False)

    @abstractmethod
    def effective_density(self, density: Float[Tensor, "S N"]) -> Float[Tensor, "S N"]:
        """Return the density by which errors are divided, from the number of training samples in each bin."""

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


class InverseFrequencyLoss(DensityWeightedLoss):
    """INV and SQINV: errors divided by the number of training samples in the bin of their true value.

    f(p)_b = 1 / p_b (INV), or 1 / √p_b (SQINV); see :class:`DensityWeightedLoss` for the rest of the formula.

    Args:
        bins: number of bins per attribute, at least 1.
        square_root: divide by the square root of the density: SQINV instead of INV.
        error: the error that is weighted.
        normalize: compare directions: predictions and targets are first scaled to length 1 per row.
            The bins are those of the scaled targets.

    >>> import torch
    >>> loss = InverseFrequencyLoss(bins=2, normalize=False)
    >>> loss.prepare(torch.tensor([[0.0], [1.0]]), torch.tensor([3, 1]))
    >>> loss.class_weights  # 1/3 and 1, divided by their mean over the four samples, 1/2
    tensor([[0.6667],
            [2.0000]])
    """

    def __init__(
        self, bins: int = 20, square_root: bool = False, error: ErrorKind = "squared", normalize: bool = True
    ) -> None:
        super().__init__(bins, square_root, error, normalize)

    def effective_density(self, density: Float[Tensor, "S N"]) -> Float[Tensor, "S N"]:
        """Return the density unchanged."""
        return density


class LDSLoss(DensityWeightedLoss):
    """Label distribution smoothing (section 3.1): errors divided by the smoothed density of their true value.

    p̃_b = Σ_b' k(b, b') p_b',   f(p)_b = 1 / √p̃_b, or 1 / p̃_b without ``square_root``

    with the kernels of :func:`rezsl.functional.label_bins.smoothing_matrix`; bins beyond the outer ones count as
    empty. See :class:`DensityWeightedLoss` for the rest of the formula.

    Args:
        bins: number of bins per attribute, at least 1.
        kernel: shape of k.
        reach: number of bins on either side that count; the paper's window of 5 has reach 2.
        spread: standard deviation of ``gaussian`` and scale of ``laplace``, in bins.
        square_root: divide by the square root of the density.
        error: the error that is weighted.
        normalize: compare directions: predictions and targets are first scaled to length 1 per row.
            The bins are those of the scaled targets.
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
        check_kernel(kernel, reach, spread)
        self.kernel, self.reach, self.spread = kernel, reach, spread

    def effective_density(self, density: Float[Tensor, "S N"]) -> Float[Tensor, "S N"]:
        """Return the density, smoothed over the bins."""
        return density @ smoothing_matrix(self.kernel, self.reach, self.spread, self.bins).to(density)
