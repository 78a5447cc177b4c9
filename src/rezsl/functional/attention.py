"""Attention of attributes over image regions: its collapsed form, places in the image, and penalties on attention.

AttentionNet (section III-C of the paper) derives a query from the word vector v_s of each attribute:
q_s = W_q v_s + b_q, K = W_k F, U = W_v F + b_v, a_s = softmax over regions of q_s·K, z_s = W_o Σ_r a_sr U_r + b_o, and
the prediction is ⟨mean_r F_r + z_s, P_s⟩. All of it is linear around one softmax whose weights sum to one. With

    Q = q W_k,   P' = P (or P H with a linear hidden layer H),   G = P' W_o W_v,
    c_s = ⟨P'_s, W_o b_v + b_o⟩ (+ ⟨P_s, b_H⟩)

the same prediction is mean_r F_r · P'_s + Σ_r a_sr G_s·F_r + c_s. The keys have no bias, because it would add the
same number to all regions of an attribute and cancel in the softmax.

Where the place of an attribute in the image is known, its shares w_sr of the regions replace the equal shares 1/R:
Σ_r w_sr F_r replaces the mean, and a_s = softmax of q_s·K + ln w_s. This is an addition to the paper; with w_sr = 1/R
it is the paper's network.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.errors import ArgumentError, check_at_least
from rezsl.functional.shapes import Predictions, Regions, checked


class CollapsedAttention(NamedTuple):
    """The parameters of AttentionNet, multiplied out as far as they do not depend on the image.

    Attributes:
        where: Q, the query of each attribute in the space of the regions, ``[S, D]``.
        what: G, the weights of each attribute on the regions it attends to, ``[S, D]``.
        pooled: P', the weights of each attribute on the mean region, ``[S, D]``.
        constant: c, ``[S]``.
    """

    where: Float[Tensor, "S D"]
    what: Float[Tensor, "S D"]
    pooled: Float[Tensor, "S D"]
    constant: Float[Tensor, "S"]


@checked
def attend(regions: Regions, collapsed: CollapsedAttention, shares: Float[Tensor, "S R"] | None = None) -> Predictions:
    """Predict every attribute, ``[B, S]``, from the regions F by the collapsed form in the description of this module.

    ``shares`` are w, the share of each attribute in each region, ``[S, R]``; None means equal shares.
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


@checked
def attention_map(
    regions: Regions, where: Float[Tensor, "S D"], shares: Float[Tensor, "S R"] | None = None
) -> Float[Tensor, "B S R"]:
    """Return the attention a of each attribute to each region, which sums to 1 over the regions; see :func:`attend`."""
    logits = torch.matmul(where, regions.mT)
    return (logits if shares is None else logits + shares.log()).softmax(dim=2)


@checked
def place_shares(places: Float[Tensor, "S 3"], regions: int) -> Float[Tensor, "S R"]:
    """Return the share of each attribute in each of R regions: a Gaussian around its place, or equal shares.

    The last ``side²`` regions are the cells of a square grid, row by row. Class tokens, which come before them, have no
    position, so their share of a place is 0:

        w_sr ∝ exp(−((y_r − y_s)² + (x_r − x_s)²) / 2σ_s²),   Σ_r w_sr = 1

    Args:
        places: y, x and σ of each attribute, as shares of the image's side (y from the top, x from the left),
            ``[S, 3]``; an attribute with infinite σ has equal shares in all regions, class tokens included.
        regions: R; an ArgumentError is raised if it is below 1.

    >>> place_shares(torch.tensor([[0.25, 0.25, 0.5], [0.5, 0.5, torch.inf]]), regions=4)
    tensor([[0.3875, 0.2350, 0.2350, 0.1425],
            [0.2500, 0.2500, 0.2500, 0.2500]])
    """
    check_at_least(1, regions=regions)
    side = math.isqrt(regions)
    middle = (torch.arange(side, device=places.device, dtype=places.dtype) + 0.5) / side
    row, column, spread = places[:, :, None].unbind(1)
    down = middle.repeat_interleave(side) - row
    along = middle.repeat(side) - column
    cells = (-(down.square() + along.square()) / (2 * spread.square())).softmax(dim=1)
    shares = torch.nn.functional.pad(cells, (regions - side**2, 0))
    return torch.where(spread.isinf(), 1 / regions, shares)


def map_of_regions(regions: int, height: int = 0) -> tuple[int, int]:
    """Return the position of the first region of a map, which a class token may precede, and the map's rows.

    Args:
        regions: the number of regions.
        height: the number of rows of equal length, or 0 for a square map; an ArgumentError is raised where the regions
            form no such map.
    """
    for first, cells in ((0, regions), (1, regions - 1)):
        rows = height or math.isqrt(cells)
        if cells and (cells % rows == 0 if height else rows**2 == cells):
            return first, rows
    expected = f"rows of {height} equal lengths" if height else "a square map"
    raise ArgumentError(
        f"regions: expected {expected}, or the same and a class token, got {regions} regions; "
        f"set height to the map's rows, or compactness_weight to 0"
    )


@checked
def compactness(attention: Float[Tensor, "B S R"], height: int) -> Float[Tensor, "B"]:
    """Return the mean over attributes of Σ_r a_r · ‖position_r − position of the largest a‖², per image.

    This is equation 5 of Xu et al., NeurIPS 2020 (APN), also used by GEM-Net. The R = height · width regions are the
    cells of a map, row by row. Positions run from 0 to 1 along its longer side, so that a finer map does not have a
    larger penalty: it is from 0 (always for a map of one cell) to 2.
    """
    width = attention.shape[2] // height
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    positions = torch.stack([rows.flatten(), columns.flatten()], dim=1).to(attention) / max(height - 1, width - 1, 1)
    distances = (positions[:, None] - positions).square().sum(dim=2)
    return (attention * distances[attention.argmax(dim=2)]).sum(dim=2).mean(dim=1)


@checked
def decorrelation(readout: Float[Tensor, "S D"], groups: Int[Tensor, "S"]) -> Float[Tensor, ""]:
    """Return the mean over channels d of Σ over attribute groups g of ‖readout_{s in g, d}‖₂.

    This is equation 4 of Xu et al., NeurIPS 2020 (APN). Attributes of one group, which have the same number (from 0) in
    ``groups``, may share a channel at little cost; attributes of different groups compete for it.
    """
    # There are at most as many groups as attributes. Their number is not read, because a GPU would finish its queue.
    squares = readout.new_zeros(readout.shape).index_add(0, groups, readout.square())
    # The square root has no derivative at 0, so channels that a group does not use are left out of the gradient.
    used = squares > 0
    return torch.where(used, torch.where(used, squares, 1.0).sqrt(), 0.0).sum(dim=0).mean()
