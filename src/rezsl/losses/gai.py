"""Balanced MSE in closed form, for a mixture of normal distributions (Ren et al., CVPR 2022, section 3.3.1: GAI)."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.errors import ArgumentError
from rezsl.functional import l2_normalize
from rezsl.functional.shapes import ClassMatrix, Labels, Predictions, Scalar
from rezsl.losses.balanced_mse import BalancedMSELoss, prepared
from rezsl.losses.label_mixture import label_mixture


class GAILoss(BalancedMSELoss):
    """The distribution of targets in training is a mixture of normal distributions per semantic.

    With the weights π_sk, means μ_sk and variances v_sk of the mixture of semantic s,

        L = 2 σ² · mean over i, s of −ln N(A_{y_i s}; Â_is, σ²) + ln Σ_k π_sk N(Â_is; μ_sk, v_sk + σ²)

    Args:
        components: of each mixture, at least 1; a semantic with fewer distinct values gets fewer.
        noise: σ at the start, positive, in units of the semantics; it is learnt.
        normalize: scale predictions and targets to length 1 per row first; the mixture is of the scaled targets.
    """

    def __init__(self, components: int = 4, noise: float = 0.1, normalize: bool = True) -> None:
        super().__init__(noise, normalize)
        if components < 1:
            raise ArgumentError(f"components: expected at least 1, got {components}")
        self.components = components
        # It follows from the data, which prepare is told: no part of the state_dict.
        self.mixture: Float[Tensor, "3 S K"] | None
        self.register_buffer("mixture", None, persistent=False)

    def prepare(self, class_semantics: ClassMatrix, class_counts: Int[Tensor, "C"]) -> None:
        """Fit the mixtures; see :class:`RegressionLoss`."""
        compared = l2_normalize(class_semantics) if self.normalize else class_semantics
        self.mixture = label_mixture(compared, class_counts, self.components)

    def balanced(self, prediction: Predictions, target: Predictions, labels: Labels, variance: Scalar) -> Scalar:
        """The mean in the formula."""
        weight, mean, spread = prepared(self.mixture).to(prediction)
        log_density = _log_normal(prediction.unsqueeze(2) - mean, spread + variance)
        met = torch.logsumexp(weight.log() + log_density, dim=2)
        return (met - _log_normal(prediction - target, variance)).mean()

    def extra_repr(self) -> str:
        """The options, as PyTorch prints them."""
        return f"components={self.components}, {super().extra_repr()}"


def _log_normal(difference: Float[Tensor, "*N"], variance: Float[Tensor, "*M"]) -> Float[Tensor, "*L"]:
    return -(difference.square() / variance + variance.log() + math.log(2 * math.pi)) / 2
