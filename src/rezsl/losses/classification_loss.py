"""What every loss on class scores has in common."""

from abc import ABC, abstractmethod

from torch import nn

from rezsl.functional.shapes import Labels, Scalar, Scores


class ClassificationLoss(nn.Module, ABC):
    """A loss on the scores of the classes in training."""

    @abstractmethod
    def forward(self, scores: Scores, labels: Labels) -> Scalar:
        """The loss of a batch.

        Args:
            scores: of every class in training, ``[B, K]``.
            labels: the right class of each sample, ``[B]``, in ``[0, K)``.
        """
