"""Methods whose weights are solved for, not descended to."""

from abc import abstractmethod
from collections.abc import Iterable

from rezsl.functional.shapes import ClassMatrix, Labels, Pooled
from rezsl.models.semantic_model import SemanticModel


class ClosedForm(SemanticModel):
    """A semantic model that one pass over the training samples determines.

    :func:`rezsl.fit` solves it where it would train another model by gradient descent.
    """

    @abstractmethod
    def solve(self, batches: Iterable[tuple[Pooled, Labels]], class_semantics: ClassMatrix) -> None:
        """Set the weights.

        Args:
            batches: regions ``[B, …, D]`` (or features) and labels ``[B]`` of all training samples; gone through once.
            class_semantics: semantics of the K classes in training, ``[K, S]``; labels are rows of it.
        """
