"""Cross-entropy of class scores."""

from torch.nn import functional as F

from rezsl.functional.shapes import Labels, Scalar, Scores
from rezsl.losses.classification_loss import ClassificationLoss


class CrossEntropyLoss(ClassificationLoss):
    """L = mean over samples i of −ln softmax(scores_i)_{y_i}.

    >>> import torch
    >>> CrossEntropyLoss()(torch.zeros(1, 4), torch.tensor([2]))  # ln 4
    tensor(1.3863)
    """

    def forward(self, scores: Scores, labels: Labels) -> Scalar:
        """The loss of a batch."""
        return F.cross_entropy(scores, labels)
