"""Architectures that make use of the groups of attributes."""

from abc import abstractmethod
from collections.abc import Sequence

from rezsl.models.semantic_model import SemanticModel


class GroupedModel(SemanticModel):
    """A semantic model that :func:`rezsl.fit` tells the group of each attribute, where the benchmark has groups."""

    @abstractmethod
    def set_groups(self, groups: Sequence[str]) -> None:
        """Take the name of each attribute's group, S names."""
