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
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

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
