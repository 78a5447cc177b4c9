"""What APN and GEM-Net ask of attention and of read-outs besides good predictions."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


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
