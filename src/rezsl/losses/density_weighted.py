"""Errors weighted by how rare true values are (Yang et al., Delving into Deep Imbalanced Regression, ICML 2021)."""

from jaxtyping import Float, Int
from torch import Tensor

from rezsl.errors import check_at_least, check_choice
from rezsl.functional.binning import Kernel, label_bins, smoothing_matrix
from rezsl.functional.shapes import ClassMatrix, Labels, Predictions, Scalar
from rezsl.losses._loss import RegressionLoss, prepared
from rezsl.losses.regression import ErrorKind


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

    >>> import torch
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
