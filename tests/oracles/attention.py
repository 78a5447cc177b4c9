"""AttentionNet as the paper writes it, one image and one attribute at a time."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def softmax(scores: Floats) -> Floats:
    """a_r = exp(x_r) / sum_r' exp(x_r'); the largest x is subtracted first, to avoid overflow."""
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
    shares: Floats | None = None,
) -> tuple[Floats, Floats]:
    """(prediction [B, S], attention [B, S, R]) for regions F [B, R, D] and word vectors v [S, L].

        q_s = W_q v_s + b_q;  K_r = W_k F_r;  U_r = W_v F_r + b_v
        a_s = softmax over r of q_s . K_r
        z_s = W_o (sum_r a_sr U_r) + b_o
        prediction_s = <mean_r F_r + z_s, P_s>, or <H(mean_r F_r + z_s), P_s> with H(x) = W_h x + b_h

    With shares w [S, R] of the regions: a_s = softmax over r of q_s . K_r + ln w_sr, and sum_r w_sr F_r for the mean.

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
            logits = np.array([query @ keys[r] for r in range(region_count)], dtype=np.float64)
            pooled = mean_region
            if shares is not None:
                logits = np.array([logits[r] + math.log(shares[s, r]) for r in range(region_count)], dtype=np.float64)
                pooled = sum(shares[s, r] * regions[i, r] for r in range(region_count))
            a = softmax(logits)
            looked_at = sum(a[r] * values[r] for r in range(region_count))
            x = pooled + output_weight @ looked_at + output_bias
            if hidden_weight is not None:
                assert hidden_bias is not None, "the hidden layer is affine: give its bias too"
                x = hidden_weight @ x + hidden_bias
            prediction[i, s] = x @ readout[s]
            attention[i, s] = a
    return prediction, attention


def place_shares(places: Floats, rows: int, columns: int) -> Floats:
    """Share w_sr of each cell: a Gaussian of its middle's distance to the place (y, x, sigma), cells in reading order."""
    result = np.zeros((len(places), rows * columns), dtype=np.float64)
    for s, (y, x, sigma) in enumerate(places):
        exponents = [
            -(((row + 0.5) / rows - y) ** 2 + ((column + 0.5) / columns - x) ** 2) / (2 * sigma**2)
            for row in range(rows)
            for column in range(columns)
        ]
        # The largest exponent is subtracted, because with a small sigma every exponential would underflow to 0.
        weights = [math.exp(exponent - max(exponents)) for exponent in exponents]
        result[s] = [weight / sum(weights) for weight in weights]
    return result
