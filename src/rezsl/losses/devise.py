"""The loss of DeViSE (Frome et al., DeViSE: A Deep Visual-Semantic Embedding Model, NIPS 2013)."""

from rezsl.functional.shapes import Labels, Scalar, Scores
from rezsl.losses.ranking_loss import RankingLoss


class DeViSELoss(RankingLoss):
    """L = mean over samples i of Σ_{c ≠ y_i} max(0, margin + s_ic − s_{i y_i}).

    Args:
        margin: 0 or more, in units of the scores.

    >>> import torch
    >>> DeViSELoss(margin=1.0)(torch.tensor([[3.0, 2.5, 4.0]]), torch.tensor([0]))  # 0.5 and 2
    tensor(2.5000)
    """

    def forward(self, scores: Scores, labels: Labels) -> Scalar:
        """The loss of a batch; see :class:`ClassificationLoss` for the arguments."""
        return self.violations(scores, labels).sum(dim=1).mean()
