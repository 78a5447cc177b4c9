"""Attention of semantics over image regions, collapsed to two products per image.

AttentionNet (section III-C of the paper) asks with each semantic's word vector v_s where to look:
q_s = W_q v_s + b_q, K = W_k F, U = W_v F + b_v, a_s = softmax over regions of q_s·K, z_s = W_o Σ_r a_sr U_r + b_o, and
reads out ⟨mean_r F_r + z_s, P_s⟩. All of it is linear around one softmax whose weights sum to one. With

    Q = q W_k,   P' = P (or P H with a linear hidden layer H),   G = P' W_o W_v,
    c_s = ⟨P'_s, W_o b_v + b_o⟩ (+ ⟨P_s, b_H⟩)

the same prediction is mean_r F_r · P'_s + Σ_r a_sr G_s·F_r + c_s. A bias of the keys would add the same number to all
regions of a semantic and cancel in the softmax; there is none.

Where it is known in which part of the image a semantic is to be seen, its shares w_sr of the regions take the place
of the equal ones: Σ_r w_sr F_r instead of the mean, and a_s = softmax of q_s·K + ln w_s, so that attention starts there
too. This is an addition to the paper; with w_sr = 1/R it is the paper's network.


From where a semantic is to be seen in an image to the share of each region.

What APN and GEM-Net ask of attention and of read-outs besides good predictions.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.errors import ArgumentError
from rezsl.functional.shapes import Predictions, Regions


class CollapsedAttention(NamedTuple):
    """Everything that AttentionNet needs to know of its parameters to predict.

    Attributes:
        where: Q, what each semantic looks for, ``[S, D]``.
        what: G, what each semantic reads from the region it looks at, ``[S, D]``.
        pooled: P', what each semantic reads from the mean region, ``[S, D]``.
        constant: c, ``[S]``.
    """

    where: Float[Tensor, "S D"]
    what: Float[Tensor, "S D"]
    pooled: Float[Tensor, "S D"]
    constant: Float[Tensor, "S"]


def attend(regions: Regions, collapsed: CollapsedAttention, shares: Float[Tensor, "S R"] | None = None) -> Predictions:
    """Predict every semantic from the regions, ``[B, R, D] -> [B, S]``.

    Args:
        regions: F.
        collapsed: the parameters, multiplied out.
        shares: w, how much of each semantic lies in each region; None means equal shares.
    """
    if shares is None:
        projection = torch.cat([collapsed.where, collapsed.what])
        logits, values = torch.matmul(regions, projection.T).chunk(2, dim=2)
        pooled = regions.mean(dim=1) @ collapsed.pooled.T
    else:
        projection = torch.cat([collapsed.where, collapsed.what, collapsed.pooled])
        logits, values, placed = torch.matmul(regions, projection.T).chunk(3, dim=2)
        logits, pooled = logits + shares.T.log(), (placed * shares.T).sum(dim=1)
    return pooled + (logits.softmax(dim=1) * values).sum(dim=1) + collapsed.constant


def attention_map(
    regions: Regions, where: Float[Tensor, "S D"], shares: Float[Tensor, "S R"] | None = None
) -> Float[Tensor, "B S R"]:
    """How much each semantic looks at each region; sums to 1 over the regions."""
    logits = torch.matmul(where, regions.mT)
    return (logits if shares is None else logits + shares.log()).softmax(dim=2)


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


def compactness(attention: Float[Tensor, "B S R"], height: int) -> Float[Tensor, "B"]:
    """Mean over semantics of Σ_r a_r · ‖position_r − position of the largest a‖² (Xu et al., NeurIPS 2020, equation 5).

    Positions run from 0 to 1 along the longer side of the map, so a finer map does not cost more; the result is at
    most 2, and 0 of a map of one cell.

    Args:
        attention: weights over the R = height · width cells of a map, row by row.
        height: of the map; divides R.
    """
    width = attention.shape[2] // height
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    positions = torch.stack([rows.flatten(), columns.flatten()], dim=1).to(attention) / max(height - 1, width - 1, 1)
    distances = (positions[:, None] - positions).square().sum(dim=2)
    return (attention * distances[attention.argmax(dim=2)]).sum(dim=2).mean(dim=1)


def decorrelation(readout: Float[Tensor, "S D"], groups: Int[Tensor, "S"]) -> Float[Tensor, ""]:
    """Mean over channels of Σ over groups g of ‖readout_{s in g, d}‖₂ (Xu et al., NeurIPS 2020, equation 4).

    Within a group attributes may share a channel at little cost; attributes of different groups compete for it.

    Args:
        readout: a row for each semantic.
        groups: number of each semantic's group, from 0.
    """
    count = int(groups.max()) + 1
    squares = readout.new_zeros(count, readout.shape[1]).index_add(0, groups, readout.square())
    # The root has no slope at 0: channels that a group does not use stay out of the gradient.
    used = squares > 0
    return torch.where(used, torch.where(used, squares, 1.0).sqrt(), 0.0).sum(dim=0).mean()
