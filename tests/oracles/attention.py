"""AttentionNet as the paper writes it, one image and one semantic at a time."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def softmax(scores: Floats) -> Floats:
    """a_r = exp(x_r) / sum_r' exp(x_r'); the largest x is subtracted first, which changes nothing but overflow."""
    exponentials: Floats = np.exp(scores - scores.max())
    result: Floats = exponentials / exponentials.sum()
    return result


def attention_net(
    regions: Floats,
    word_vectors: Floats,
    *,
    query_weight: Floats,
    query_bias: Floats,
    key_weight: Floats,
    value_weight: Floats,
    value_bias: Floats,
    output_weight: Floats,
    output_bias: Floats,
    readout: Floats,
    hidden_weight: Floats | None = None,
    hidden_bias: Floats | None = None,
) -> tuple[Floats, Floats]:
    """(prediction [B, S], attention [B, S, R]) for regions F [B, R, D] and word vectors v [S, L].

        q_s = W_q v_s + b_q;  K_r = W_k F_r;  U_r = W_v F_r + b_v
        a_s = softmax over r of q_s . K_r
        z_s = W_o (sum_r a_sr U_r) + b_o
        prediction_s = <mean_r F_r + z_s, P_s>, or <H(mean_r F_r + z_s), P_s> with H(x) = W_h x + b_h

    Weights have the layout of torch.nn.Linear: [outputs, inputs].
    """
    image_count, region_count, _ = regions.shape
    semantic_count = word_vectors.shape[0]
    prediction = np.zeros((image_count, semantic_count), dtype=np.float64)
    attention = np.zeros((image_count, semantic_count, region_count), dtype=np.float64)
    for i in range(image_count):
        keys = [key_weight @ regions[i, r] for r in range(region_count)]
        values = [value_weight @ regions[i, r] + value_bias for r in range(region_count)]
        mean_region = sum(regions[i, r] for r in range(region_count)) / region_count
        for s in range(semantic_count):
            query = query_weight @ word_vectors[s] + query_bias
            a = softmax(np.array([query @ keys[r] for r in range(region_count)], dtype=np.float64))
            looked_at = sum(a[r] * values[r] for r in range(region_count))
            x = mean_region + output_weight @ looked_at + output_bias
            if hidden_weight is not None:
                assert hidden_bias is not None, "the hidden layer is affine: give its bias too"
                x = hidden_weight @ x + hidden_bias
            prediction[i, s] = x @ readout[s]
            attention[i, s] = a
    return prediction, attention
