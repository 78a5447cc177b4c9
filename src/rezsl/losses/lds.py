"""Label distribution smoothing (Yang et al., Delving into Deep Imbalanced Regression, ICML 2021, section 3.1)."""

from jaxtyping import Float
from torch import Tensor

from rezsl.functional.label_bins import Kernel, check_kernel, smoothing_matrix
from rezsl.losses.density_weighted_loss import DensityWeightedLoss, ErrorKind


class LDSLoss(DensityWeightedLoss):
    """Errors divided by the smoothed density of their true value: neighbouring values teach about each other.

    p̃_b = Σ_b' k(b, b') p_b',   f(p)_b = 1 / √p̃_b, or 1 / p̃_b without ``square_root``

    with the kernels of :func:`rezsl.functional.label_bins.smoothing_matrix`; nothing lies beyond the outer bins. See
    :class:`DensityWeightedLoss` for the rest of the formula.

    Args:
        bins: per semantic, at least 1.
        kernel: shape of k.
        reach: bins to either side that count; the paper's window of 5 has reach 2.
        spread: of ``gaussian`` and ``laplace``, in bins.
        square_root: divide by the square root of the density.
        error: what is weighted.
        normalize: scale predictions and targets to length 1 per row first; the bins are of the scaled targets.
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
        """The density, smoothed over the bins."""
        return density @ smoothing_matrix(self.kernel, self.reach, self.spread, self.bins).to(density)

    def extra_repr(self) -> str:
        """The options, as PyTorch prints them."""
        return f"kernel={self.kernel!r}, reach={self.reach}, spread={self.spread}, {super().extra_repr()}"
