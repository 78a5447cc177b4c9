"""The loss of ALE (Akata et al., Label-Embedding for Image Classification, TPAMI 2016, equation 12)."""

import torch

from rezsl.functional.shapes import Labels, Scalar, Scores
from rezsl.losses.ranking_loss import RankingLoss


class ALELoss(RankingLoss):
    """Weighted approximate ranking: a sample whose class ranks far down counts less per rival.

    With the violations h_ic = max(0, margin + s_ic − s_{i y_i}) of c ≠ y_i and their number r_i,

        L = mean over samples i of (β_{r_i} / r_i) Σ_c h_ic,   β_r = Σ_{k=1}^{r} 1 / k

    Args:
        margin: 0 or more, in units of the scores.

    >>> ALELoss(margin=1.0)(torch.tensor([[3.0, 2.5, 4.0]]), torch.tensor([0]))  # (1 + 1/2) / 2 · (0.5 + 2)
    tensor(1.8750)
    """

    def forward(self, scores: Scores, labels: Labels) -> Scalar:
        """The loss of a batch; see :class:`ClassificationLoss` for the arguments."""
        violations = self.violations(scores, labels)
        rank = (violations > 0).sum(dim=1)
        places = torch.arange(1, violations.shape[1] + 1, device=violations.device, dtype=violations.dtype)
        # β_r / r by rank; a sample without violations has a sum of 0.
        weight = (1 / places).cumsum(dim=0) / places
        return (weight[(rank - 1).clamp(min=0)] * violations.sum(dim=1)).mean()
