"""Attention of semantics over image regions, collapsed to two products per image.

AttentionNet (section III-C of the paper) asks with each semantic's word vector v_s where to look:
q_s = W_q v_s + b_q, K = W_k F, U = W_v F + b_v, a_s = softmax over regions of q_s·K, z_s = W_o Σ_r a_sr U_r + b_o, and
reads out ⟨mean_r F_r + z_s, P_s⟩. All of it is linear around one softmax whose weights sum to one. With

    Q = q W_k,   P' = P (or P H with a linear hidden layer H),   G = P' W_o W_v,
    c_s = ⟨P'_s, W_o b_v + b_o⟩ (+ ⟨P_s, b_H⟩)

the same prediction is mean_r F_r · P'_s + Σ_r a_sr G_s·F_r + c_s. A bias of the keys would add the same number to all
regions of a semantic and cancel in the softmax; there is none.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.typing import Predictions, Regions


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


def attend(regions: Regions, collapsed: CollapsedAttention) -> Predictions:
    """Predict every semantic from the regions, ``[B, R, D] -> [B, S]``."""
    projection = torch.cat([collapsed.where, collapsed.what])
    logits, values = torch.matmul(regions, projection.T).chunk(2, dim=2)
    attended = (logits.softmax(dim=1) * values).sum(dim=1)
    return regions.mean(dim=1) @ collapsed.pooled.T + attended + collapsed.constant


def attention_map(regions: Regions, where: Float[Tensor, "S D"]) -> Float[Tensor, "B S R"]:
    """How much each semantic looks at each region; sums to 1 over the regions."""
    return torch.matmul(where, regions.mT).softmax(dim=2)
