"""Inverse-frequency weighting (INV and SQINV in Yang et al., Delving into Deep Imbalanced Regression, ICML 2021)."""

from jaxtyping import Float
from torch import Tensor

from rezsl.losses.density_weighted_loss import DensityWeightedLoss, ErrorKind


class InverseFrequencyLoss(DensityWeightedLoss):
    """Errors divided by how many training samples share the bin of their true value.

    f(p)_b = 1 / p_b (INV), or 1 / √p_b (SQINV); see :class:`DensityWeightedLoss` for the rest of the formula.

    Args:
        bins: per semantic, at least 1.
        square_root: SQINV instead of INV.
        error: what is weighted.
        normalize: scale predictions and targets to length 1 per row first; the bins are of the scaled targets.

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
        """The density as it is."""
        return density
