"""Balanced MSE by bins (Ren et al., Balanced MSE, CVPR 2022, section 3.3.2: BNI)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.functional import l2_normalize
from rezsl.functional.label_bins import check_bins, label_bins
from rezsl.functional.shapes import ClassMatrix, Labels, Predictions, Scalar
from rezsl.losses.balanced_mse import BalancedMSELoss, prepared


class BNILoss(BalancedMSELoss):
    """The distribution of targets in training is a histogram per semantic.

    With the bins b of a semantic, their middles c_sb and the share p_sb of the training samples in each,

        L = 2 σ² · mean over i, s of (Â_is − A_{y_i s})² / 2σ² + ln Σ_b p_sb exp(−(Â_is − c_sb)² / 2σ²)

    Args:
        bins: per semantic, at least 1.
        noise: σ at the start, positive, in units of the semantics; it is learnt.
        normalize: scale predictions and targets to length 1 per row first; the bins are of the scaled targets.
    """

    def __init__(self, bins: int = 20, noise: float = 0.1, normalize: bool = True) -> None:
        super().__init__(noise, normalize)
        check_bins(bins)
        self.bins = bins
        # They follow from the data, which prepare is told: no part of the state_dict.
        self.log_share: Float[Tensor, "S N"] | None
        self.centres: Float[Tensor, "S N"] | None
        self.register_buffer("log_share", None, persistent=False)
        self.register_buffer("centres", None, persistent=False)

    def prepare(self, class_semantics: ClassMatrix, class_counts: Int[Tensor, "C"]) -> None:
        """Count the training samples in each bin; see :class:`RegressionLoss`."""
        compared = l2_normalize(class_semantics) if self.normalize else class_semantics
        bins = label_bins(compared, self.bins)
        density = bins.density(compared, class_counts)
        self.log_share, self.centres = (density / density.sum(dim=1, keepdim=True)).log(), bins.centres()

    def balanced(self, prediction: Predictions, target: Predictions, labels: Labels, variance: Scalar) -> Scalar:
        """The mean in the formula."""
        log_share, centres = prepared(self.log_share).to(prediction), prepared(self.centres).to(prediction)
        distance = (prediction.unsqueeze(2) - centres).square()
        met = torch.logsumexp(log_share - distance / (2 * variance), dim=2)
        return ((prediction - target).square() / (2 * variance) + met).mean()

    def extra_repr(self) -> str:
        """The options, as PyTorch prints them."""
        return f"bins={self.bins}, {super().extra_repr()}"
