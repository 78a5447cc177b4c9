"""Quantiles of columns with missing values."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def quantiles(matrix: Float[Tensor, "M N"], levels: Sequence[float]) -> Float[Tensor, "Q N"]:
    """Quantiles of each column, linear between its sorted values; NaN is left out, and comes where nothing is left.

    As ``torch.nanquantile``, which refuses more than 16 million numbers.

    >>> quantiles(torch.tensor([[1.0], [torch.nan], [2.0]]), (0.0, 0.5))
    tensor([[1.0000],
            [1.5000]])
    """
    if not len(matrix):
        return matrix.new_full((len(levels), matrix.shape[1]), torch.nan)
    ascending = matrix.sort(dim=0).values  # NaN goes to the end
    last = (~matrix.isnan()).sum(dim=0) - 1
    position = torch.tensor(levels, dtype=matrix.dtype, device=matrix.device).unsqueeze(1) * last.clamp(min=0)
    below = position.floor().long()
    above = torch.minimum(below + 1, last.clamp(min=0).expand_as(below))
    low, high = ascending.gather(0, below), ascending.gather(0, above)
    return torch.lerp(low, high, position - below)
