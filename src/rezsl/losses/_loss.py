"""The base classes of all losses."""

from abc import ABC, abstractmethod
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor, nn

from rezsl.errors import ArgumentError
from rezsl.functional import l2_normalize
from rezsl.functional.shapes import ClassMatrix, Labels, Predictions, Scalar, Scores, check_labels, checked
from rezsl.records import Recorded

LOSSES: dict[str, type["Loss"]] = {}
"""Every loss by the name of its class, with the abstract base classes of families."""


class Loss(nn.Module, Recorded, ABC):
    """A term of the objective; ``str(loss)`` contains every argument of its constructor.

    The base class describes the arguments that the docstring of a loss does not describe.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        """Register the class by its name; a name that a loss of another module has is an ArgumentError."""
        super().__init_subclass__(**options)
        other = LOSSES.setdefault(cls.__name__, cls)
        if (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ArgumentError(
                f"{cls.__name__}: expected a name that no other loss has, got that of {other.__module__}."
                f"{other.__qualname__}; rename the class"
            )
        LOSSES[cls.__name__] = cls

    def __init__(self) -> None:
        # Without this constructor a subclass without its own would have that of nn.Module, which takes any arguments.
        super().__init__()

    def extra_repr(self) -> str:
        """Return the options, which PyTorch prints in brackets and a run's settings record."""
        return ", ".join(
            f"{name}={value!r}" for name, value in self.arguments.items() if not isinstance(value, nn.Module)
        )


class RegressionLoss(Loss):
    """A loss between predicted and true attributes.

    Args:
        normalize: compare directions: predictions and targets are first scaled to length 1 per row.
    """

    def __init__(self, normalize: bool = True) -> None:
        super().__init__()
        self.normalize = normalize

    @checked
    def __call__(self, prediction: Predictions, target: Predictions, labels: Labels) -> Scalar:
        """Check the shapes and types of a batch, and return its loss; see :meth:`forward`."""
        loss: Scalar = super().__call__(prediction, target, labels)
        return loss

    def prepare(self, class_semantics: ClassMatrix, class_counts: Int[Tensor, "C"]) -> None:
        """Take the distribution of the training samples before training begins; by default nothing happens.

        Args:
            class_semantics: attributes of the training classes, ``[C, S]``; labels are rows of it.
            class_counts: number of samples of each class, ``[C]``, in shuffled batches; equal numbers in class
                episodes, which draw each class equally often.
        """

    @abstractmethod
    def forward(self, prediction: Predictions, target: Predictions, labels: Labels) -> Scalar:
        """Return the loss of a batch.

        Args:
            prediction: predicted attributes, ``[B, S]``.
            target: attributes of each sample's class, ``[B, S]``.
            labels: class index of each sample, ``[B]``, non-negative.
        """

    def normalize_rows(self, rows: Float[Tensor, "N S"]) -> Float[Tensor, "N S"]:
        """Scale rows ``[N, S]`` to length 1 if ``normalize`` is set; otherwise return them unchanged."""
        return l2_normalize(rows) if self.normalize else rows

    def compared(self, prediction: Predictions, target: Predictions) -> tuple[Predictions, Predictions]:
        """Return prediction and target, normalised if ``normalize`` is set; half precision becomes float32."""
        if prediction.numel() == 0:
            raise ArgumentError(
                f"prediction: expected at least one sample, got shape {tuple(prediction.shape)}"
                "; leave empty batches out"
            )
        if prediction.itemsize < 4:
            prediction = prediction.float()
        return self.normalize_rows(prediction), self.normalize_rows(target.to(prediction.dtype))

    def differences(self, prediction: Predictions, target: Predictions) -> Predictions:
        """Return prediction minus target after :meth:`compared`."""
        prediction, target = self.compared(prediction, target)
        return prediction - target


class ClassificationLoss(Loss):
    """A loss on the scores of the training classes."""

    def prepare(self, class_semantics: ClassMatrix) -> None:
        """Take the attributes of the training classes ``[K, S]`` before training begins; by default nothing happens."""

    @checked
    def __call__(self, scores: Scores, labels: Labels) -> Scalar:
        """Check the shapes and types of a batch, and return its loss; see :meth:`forward`."""
        check_labels(labels, scores.shape[1])
        loss: Scalar = super().__call__(scores, labels)
        return loss

    @abstractmethod
    def forward(self, scores: Scores, labels: Labels) -> Scalar:
        """Return the loss of a batch.

        Args:
            scores: scores of the training classes, ``[B, K]``.
            labels: the right class of each sample, ``[B]``, in ``[0, K)``.
        """


def prepared(part: Tensor | None, arguments: str = "class_semantics, class_counts") -> Tensor:
    """Return a tensor that ``prepare`` computes; before it is called, raise an ArgumentError."""
    if part is None:
        raise ArgumentError(f"loss: expected prepare({arguments}) first, got a batch; call it")
    return part
