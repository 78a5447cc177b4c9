"""Losses on class scores: cross-entropy, the ranking losses of ALE, DeViSE and SJE, and the losses of SYNC."""

import torch
from torch import Tensor
from torch.nn import functional as F

from rezsl.errors import ArgumentError, check_not_negative
from rezsl.functional import l2_normalize
from rezsl.functional.shapes import ClassMatrix, Labels, Scalar, Scores
from rezsl.losses._loss import ClassificationLoss, prepared


class CrossEntropyLoss(ClassificationLoss):
    """L = mean over samples i of −ln softmax(scores_i)_{y_i}.

    >>> CrossEntropyLoss()(torch.zeros(1, 4), torch.tensor([2]))  # ln 4
    tensor(1.3863)
    """

    def forward(self, scores: Scores, labels: Labels) -> Scalar:
        """Return the loss of a batch."""
        return F.cross_entropy(scores, labels)


class RankingLoss(ClassificationLoss):
    """A loss on scores of other classes that are not lower than the right class's score by a margin.

    The violations of the margin are h_ic = max(0, margin + s_ic − s_{i y_i}) for the training classes c ≠ y_i.

    Args:
        margin: 0 or more, in units of the scores, which are cosines times ``scale`` (20 by default).
    """

    def __init__(self, margin: float = 1.0) -> None:
        super().__init__()
        check_not_negative(margin=margin)
        self.margin = margin

    def violations(self, scores: Scores, labels: Labels) -> Scores:
        """Return h, ``[B, K]``, 0 for the right class; half precision becomes float32."""
        if scores.numel() == 0:
            raise ArgumentError(
                f"scores: expected at least one sample and class, got shape {tuple(scores.shape)}"
                "; leave empty batches out"
            )
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        own = labels.unsqueeze(1)
        hinges = F.relu(self.margin + scores - scores.gather(1, own))
        return hinges.scatter(1, own, 0.0)


class ALELoss(RankingLoss):
    """Weighted approximate ranking: the lower the right class ranks, the less each violation counts.

    Akata et al., Label-Embedding for Image Classification, TPAMI 2016, equation 12. With the violations h_ic of
    :class:`RankingLoss` and their number r_i,

        L = mean over samples i of (β_{r_i} / r_i) Σ_c h_ic,   β_r = Σ_{k=1}^{r} 1 / k

    >>> ALELoss(margin=1.0)(torch.tensor([[3.0, 2.5, 4.0]]), torch.tensor([0]))  # (1 + 1/2) / 2 · (0.5 + 2)
    tensor(1.8750)
    """

    def forward(self, scores: Scores, labels: Labels) -> Scalar:
        """Return the loss of a batch; see :class:`ClassificationLoss` for the arguments."""
        violations = self.violations(scores, labels)
        rank = (violations > 0).sum(dim=1)
        places = torch.arange(1, violations.shape[1] + 1, device=violations.device, dtype=violations.dtype)
        # This is β_r / r by rank. The rank of a sample without violations does not matter, since its sum is 0.
        weight = (1 / places).cumsum(dim=0) / places
        return (weight[(rank - 1).clamp(min=0)] * violations.sum(dim=1)).mean()


class DeViSELoss(RankingLoss):
    """L = mean over samples i of Σ_{c ≠ y_i} max(0, margin + s_ic − s_{i y_i}).

    Frome et al., DeViSE: A Deep Visual-Semantic Embedding Model, NIPS 2013.

    >>> DeViSELoss(margin=1.0)(torch.tensor([[3.0, 2.5, 4.0]]), torch.tensor([0]))  # 0.5 and 2
    tensor(2.5000)
    """

    def forward(self, scores: Scores, labels: Labels) -> Scalar:
        """Return the loss of a batch; see :class:`ClassificationLoss` for the arguments."""
        return self.violations(scores, labels).sum(dim=1).mean()


class SJELoss(RankingLoss):
    """L = mean over samples i of max_{c ≠ y_i} max(0, margin + s_ic − s_{i y_i}): only the largest violation counts.

    Akata et al., Evaluation of Output Embeddings for Fine-Grained Image Classification, CVPR 2015.

    >>> SJELoss(margin=1.0)(torch.tensor([[3.0, 2.5, 4.0]]), torch.tensor([0]))  # of 0.5 and 2
    tensor(2.)
    """

    def forward(self, scores: Scores, labels: Labels) -> Scalar:
        """Return the loss of a batch; see :class:`ClassificationLoss` for the arguments."""
        return self.violations(scores, labels).max(dim=1).values.mean()


class OneVersusOtherLoss(RankingLoss):
    """L = mean over samples i of Σ_c max(0, margin − I_ic · s_ic)²: each class has a classifier of its own.

    I_ic is 1 for the right class and −1 for the others. Changpinyo et al., Synthesized Classifiers for Zero-Shot
    Learning, CVPR 2016, with the margin 1.

    >>> OneVersusOtherLoss(margin=1.0)(torch.tensor([[0.5, -2.0, 1.0]]), torch.tensor([0]))  # 0.5² + 0 + 2²
    tensor(4.2500)
    """

    def forward(self, scores: Scores, labels: Labels) -> Scalar:
        """Return the loss of a batch; see :class:`ClassificationLoss` for the arguments."""
        if scores.numel() == 0:
            raise ArgumentError(
                f"scores: expected at least one sample and class, got shape {tuple(scores.shape)}"
                "; leave empty batches out"
            )
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        signed = -scores.scatter(1, labels.unsqueeze(1), -scores.gather(1, labels.unsqueeze(1)))
        return F.relu(self.margin - signed).square().sum(dim=1).mean()


class StructuredLoss(ClassificationLoss):
    """L = mean over samples i of max_c max(0, margin · ‖a_c − a_{y_i}‖² + s_ic − s_{i y_i}).

    A class whose attributes differ more must score lower by more; rows of attributes have length 1. Changpinyo et al.,
    Synthesized Classifiers for Zero-Shot Learning, CVPR 2016, with the margin 1.

    Args:
        margin: factor of the squared distances, 0 or more.
    """

    def __init__(self, margin: float = 1.0) -> None:
        super().__init__()
        check_not_negative(margin=margin)
        self.margin = margin
        self.distances: Tensor | None
        self.register_buffer("distances", None, persistent=False)

    def prepare(self, class_semantics: ClassMatrix) -> None:
        """Compute the squared distances between the training classes."""
        rows = l2_normalize(class_semantics)
        self.distances = torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist").square()

    def forward(self, scores: Scores, labels: Labels) -> Scalar:
        """Return the loss of a batch; see :class:`ClassificationLoss` for the arguments."""
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        margins = self.margin * prepared(self.distances, "class_semantics").to(scores)[labels]
        # The right class itself contributes 0, so the maximum is never negative.
        return (margins + scores - scores.gather(1, labels.unsqueeze(1))).amax(dim=1).mean()
