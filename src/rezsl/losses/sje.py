"""The loss of SJE (Akata et al., Evaluation of Output Embeddings for Fine-Grained Image Classification, CVPR 2015)."""

from rezsl.functional.shapes import Labels, Scalar, Scores
from rezsl.losses.ranking_loss import RankingLoss


class SJELoss(RankingLoss):
    """L = mean over samples i of max_{c ≠ y_i} max(0, margin + s_ic − s_{i y_i}): only the worst rival counts.

    Args:
        margin: 0 or more, in units of the scores.

    >>> import torch
    >>> SJELoss(margin=1.0)(torch.tensor([[3.0, 2.5, 4.0]]), torch.tensor([0]))  # of 0.5 and 2
    tensor(2.)
    """

    def forward(self, scores: Scores, labels: Labels) -> Scalar:
        """The loss of a batch; see :class:`ClassificationLoss` for the arguments."""
        return self.violations(scores, labels).max(dim=1).values.mean()
