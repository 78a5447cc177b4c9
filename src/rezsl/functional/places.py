"""From where a semantic is to be seen in an image to the share of each region."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.errors import ArgumentError


def place_shares(places: Float[Tensor, "S 3"], regions: int) -> Float[Tensor, "S R"]:
    """How much of each semantic lies in each of R regions: Gaussian around its place, equal where it has none.

    The last ``side²`` regions are the cells of a square grid, row by row; class tokens, which come before them, are
    nowhere, and have no part in a place:

        w_sr ∝ exp(−((y_r − y_s)² + (x_r − x_s)²) / 2σ_s²),   Σ_r w_sr = 1

    Args:
        places: y, x and σ of each semantic, as shares of the image's side (y from the top, x from the left); a
            semantic of infinite σ may be anywhere, in a class token too.
        regions: R.

    Raises:
        ArgumentError: there are fewer than one region.

    >>> place_shares(torch.tensor([[0.25, 0.25, 0.5], [0.5, 0.5, torch.inf]]), regions=4)
    tensor([[0.3875, 0.2350, 0.2350, 0.1425],
            [0.2500, 0.2500, 0.2500, 0.2500]])
    """
    if regions < 1:
        raise ArgumentError(f"regions: expected at least 1, got {regions}")
    side = math.isqrt(regions)
    middle = (torch.arange(side, device=places.device, dtype=places.dtype) + 0.5) / side
    row, column, spread = places[:, :, None].unbind(1)
    down = middle.repeat_interleave(side) - row
    along = middle.repeat(side) - column
    cells = (-(down.square() + along.square()) / (2 * spread.square())).softmax(dim=1)
    shares = torch.nn.functional.pad(cells, (regions - side**2, 0))
    return torch.where(spread.isinf(), 1 / regions, shares)
