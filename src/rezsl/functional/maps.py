"""Maps over the regions of an image: what each region contributes to a prediction, and how alike several maps are."""

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.functional.shapes import Regions, checked


@checked
def gradient_map(outputs: Float[Tensor, "B K"], regions: Regions) -> Float[Tensor, "B K R"]:
    """Return how much more each region raises each output than the image's mean region would.

        c_kr = Σ_d ∂y_k/∂F_rd · (F_rd − mean_r' F_r'd)

    This is gradient × activation, cell by cell (HiResCAM; Draelos and Carin 2020), relative to the image's mean region.
    Where a model pools regions by their mean, it equals Grad-CAM without its rectification, and each map sums to 0.
    Where the model is linear between them, c_kr is exactly the fall of y_k when the mean region takes the place of
    region r.

    Args:
        outputs: y, computed from ``regions`` with gradients, sample by sample, ``[B, K]``.
        regions: F, which requires gradients, ``[B, R, D]``.
    """
    relative = (regions - regions.mean(dim=1, keepdim=True)).detach()
    # A sum over samples has the gradients of all, because no output depends on another sample's regions.
    maps = [
        (torch.autograd.grad(total, regions, retain_graph=True)[0] * relative).sum(dim=2)
        for total in outputs.sum(dim=0).unbind()
    ]
    return torch.stack(maps, dim=1)


@checked
def mean_correlation(maps: Float[Tensor, "K *cells"]) -> float:
    """Return the mean Pearson correlation over the cells, over all pairs of K maps; NaN for a single map.

    Two maps without contrast count as equal (1), and one without contrast has no correlation (0) with one that has.

    >>> round(mean_correlation(torch.tensor([[0.0, 1.0, 2.0], [1.0, 3.0, 5.0], [2.0, 1.0, 0.0]])), 3)
    -0.333
    """
    count = len(maps)
    if count < 2:
        return float("nan")
    rows = maps.flatten(1).double()
    rows = rows - rows.mean(dim=1, keepdim=True)
    lengths = rows.norm(dim=1, keepdim=True)
    flat = lengths <= 1e-9 * maps.abs().max()
    # The maps without contrast get one common direction of their own.
    directions = torch.cat([torch.where(flat, 0.0, rows / lengths.clamp(min=1e-300)), flat.double()], dim=1)
    return float((directions.sum(dim=0).square().sum() - count) / (count * (count - 1)))
