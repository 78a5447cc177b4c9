"""What every loss on predicted semantics has in common."""

from abc import ABC, abstractmethod

from jaxtyping import Int
from torch import Tensor, nn

from rezsl.errors import ArgumentError
from rezsl.functional import l2_normalize
from rezsl.functional.shapes import ClassMatrix, Labels, Predictions, Scalar


class RegressionLoss(nn.Module, ABC):
    """A loss between predicted and true semantics.

    Args:
        normalize: compare the directions: scale predictions and targets to length 1 per row first.
    """

    def __init__(self, normalize: bool = True) -> None:
        super().__init__()
        self.normalize = normalize

    def extra_repr(self) -> str:
        """The options, as PyTorch prints them: what a run's settings record."""
        return f"normalize={self.normalize}"

    def prepare(self, class_semantics: ClassMatrix, class_counts: Int[Tensor, "C"]) -> None:
        """Tell the loss, before training, what it will be trained on; most losses need not know.

        Args:
            class_semantics: semantics of the classes in training, ``[C, S]``; labels count within them.
            class_counts: how often training draws samples of each, ``[C]``: of shuffled batches their numbers, of
                class episodes all alike.
        """

    @abstractmethod
    def forward(self, prediction: Predictions, target: Predictions, labels: Labels) -> Scalar:
        """The loss of a batch.

        Args:
            prediction: predicted semantics, ``[B, S]``.
            target: semantics of each sample's class, ``[B, S]``.
            labels: class index of each sample, ``[B]``, non-negative.
        """

    def differences(self, prediction: Predictions, target: Predictions) -> Predictions:
        """Prediction minus target, after normalisation; half precision is compared in float32."""
        if prediction.numel() == 0:
            raise ArgumentError(f"prediction: expected at least one sample, got shape {tuple(prediction.shape)}")
        if prediction.itemsize < 4:
            prediction = prediction.float()
        target = target.to(prediction.dtype)
        if self.normalize:
            prediction, target = l2_normalize(prediction), l2_normalize(target)
        return prediction - target
