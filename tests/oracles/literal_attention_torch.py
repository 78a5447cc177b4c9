"""AttentionNet computed in torch step by step as the paper writes it: the baseline for speed."""

import torch
from torch import Tensor, nn


class LiteralAttentionNet(nn.Module):
    """Five large products and the [B, S, D] tensor, nothing folded together.

    B images, R regions, D region_dim, S attributes, L word-vector length, A attention_dim, H hidden_dim. The attended
    part counts ``ratio`` times as much as the mean region.
    """

    word_vectors: Tensor

    def __init__(
        self, region_dim: int, word_vectors: Tensor, attention_dim: int, hidden_dim: int = 0, ratio: float = 1.0
    ) -> None:
        """Make the layers; without hidden_dim there is no hidden layer."""
        super().__init__()
        self.ratio = ratio
        semantic_count, word_dim = word_vectors.shape
        self.register_buffer("word_vectors", word_vectors, persistent=False)
        self.query = nn.Linear(word_dim, attention_dim)
        self.key = nn.Linear(region_dim, attention_dim, bias=False)
        self.value = nn.Linear(region_dim, attention_dim)
        self.output = nn.Linear(attention_dim, region_dim)
        self.hidden = nn.Linear(region_dim, hidden_dim) if hidden_dim > 0 else None
        readout_dim = hidden_dim if hidden_dim > 0 else region_dim
        self.readout = nn.Parameter(torch.randn(semantic_count, readout_dim) / readout_dim**0.5)

    def attention(self, regions: Tensor) -> Tensor:
        """a_s = softmax over regions of q_s . K_r: [B, R, D] -> [B, S, R]."""
        queries = self.query(self.word_vectors)  # [S, A]
        keys = self.key(regions)  # [B, R, A]
        return torch.softmax(torch.matmul(queries, keys.transpose(1, 2)), dim=2)

    def forward(self, regions: Tensor) -> Tensor:
        """<mean_r F_r + ratio z_s, P_s> with z_s = W_o(sum_r a_sr U_r) + b_o: [B, R, D] -> [B, S]."""
        attention = self.attention(regions)  # [B, S, R]
        values = self.value(regions)  # [B, R, A]
        looked_at = torch.matmul(attention, values)  # [B, S, A]
        located = self.output(looked_at)  # [B, S, D]
        combined = regions.mean(dim=1).unsqueeze(1) + self.ratio * located  # [B, S, D]
        if self.hidden is not None:
            combined = self.hidden(combined)  # [B, S, H]
        return torch.sum(combined * self.readout, dim=2)
