"""What every loss that weighs errors by the density of their labels has in common."""

from abc import abstractmethod
from typing import Literal, get_args

from jaxtyping import Float, Int
from torch import Tensor

from rezsl.errors import ArgumentError
from rezsl.functional import l2_normalize
from rezsl.functional.label_bins import check_bins, label_bins
from rezsl.functional.shapes import ClassMatrix, Labels, Predictions, Scalar
from rezsl.losses.regression_loss import RegressionLoss

ErrorKind = Literal["squared", "absolute"]


class DensityWeightedLoss(RegressionLoss):
    """Errors weighted by how rare the true value of their semantic is among the training samples.

    The values of each semantic over the training classes fall into bins; a bin's density p_sb is the number of
    training samples of the classes in it, as batches draw them. With b, the bin of A_cs, and f, the rule of the
    subclass,

        w_cs = f(p_s)_b, divided by its mean over the training samples, per semantic
        L    = mean over samples i and semantics s of w_{y_i s} · E_is

    The weights follow from the data, which :meth:`prepare` is told; they are no part of the ``state_dict``.

    Args:
        bins: per semantic, at least 1.
        square_root: divide by the square root of the density, which is milder.
        error: E: ``squared`` or ``absolute`` differences.
        normalize: scale predictions and targets to length 1 per row first; the bins are of the scaled targets.
    """

    def __init__(self, bins: int, square_root: bool, error: ErrorKind, normalize: bool) -> None:
        super().__init__(normalize)
        check_bins(bins)
        if error not in get_args(ErrorKind):
            raise ArgumentError(f"error: expected one of {', '.join(get_args(ErrorKind))}, got {error!r}")
        self.bins, self.square_root, self.error = bins, square_root, error
        self.class_weights: Float[Tensor, "C S"] | None
        self.register_buffer("class_weights", None, persistent=False)

    @abstractmethod
    def effective_density(self, density: Float[Tensor, "S N"]) -> Float[Tensor, "S N"]:
        """What the weights are the inverse of, from the number of training samples in each bin."""

    def prepare(self, class_semantics: ClassMatrix, class_counts: Int[Tensor, "C"]) -> None:
        """Compute the weights; see :class:`RegressionLoss`."""
        compared = l2_normalize(class_semantics) if self.normalize else class_semantics
        bins = label_bins(compared, self.bins)
        density = self.effective_density(bins.density(compared, class_counts)).T.gather(0, bins.bin_of(compared))
        weights = 1 / (density.sqrt() if self.square_root else density)
        counts = class_counts.to(weights).unsqueeze(1)
        self.class_weights = weights * counts.sum() / (counts * weights).sum(dim=0)

    def forward(self, prediction: Predictions, target: Predictions, labels: Labels) -> Scalar:
        """The loss of a batch; see :class:`RegressionLoss` for the arguments."""
        difference = self.differences(prediction, target)
        if self.class_weights is None:
            raise ArgumentError("loss: expected prepare(class_semantics, class_counts) first, got a batch; call it")
        errors = difference.square() if self.error == "squared" else difference.abs()
        return (self.class_weights[labels].to(errors.dtype) * errors).mean()

    def extra_repr(self) -> str:
        """The options, as PyTorch prints them."""
        return f"bins={self.bins}, square_root={self.square_root}, error={self.error!r}, {super().extra_repr()}"
