"""Labels of any kind, joined with the rows of class semantics that describe them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Shaped

from rezsl.errors import DataError, name_some
from rezsl.semantics import ClassSemantics, did_you_mean, plain_name


@runtime_checkable
class Frame(Protocol):
    """The part of a data frame that is used, so that pandas itself is not needed."""

    index: Any
    columns: Any

    def to_numpy(self) -> Any: ...


Semantics = ClassSemantics | Mapping[Any, Any] | Frame | Shaped[np.ndarray, "C S"]


@dataclass(frozen=True, eq=False)
class DescribedClasses:
    """Labels joined with their class semantics.

    Attributes:
        labels: as they occur in ``y``, ``[C]``.
        semantics: a row for each label, in the same order; its class names are the labels as text.
    """

    labels: Shaped[np.ndarray, "C"]
    semantics: ClassSemantics

    @classmethod
    def of(cls, described: Semantics, attributes: Sequence[str] | None = None) -> "DescribedClasses":
        """Return the labels and rows of what :meth:`ZeroShotEstimator.fit` accepts; None numbers its attributes."""
        if isinstance(described, ClassSemantics):
            return cls(np.array(described.classes), described)
        if isinstance(described, Frame):
            attributes = tuple(map(str, described.columns))
            labels, values = np.array(list(described.index)), np.asarray(described.to_numpy())
        elif isinstance(described, Mapping):
            lengths = {np.shape(row) for row in described.values()}
            if len(lengths) != 1 or len(next(iter(lengths))) != 1:
                raise DataError(
                    f"class_semantics: expected a row of equal length for each label, got rows of shapes "
                    f"{', '.join(map(str, sorted(lengths))) or 'none'}; give every label as many numbers"
                )
            labels, values = np.array(list(described)), np.array(list(described.values()))
        else:
            values = np.asarray(described)
            if values.ndim != 2:
                raise DataError(
                    f"class_semantics: expected a ClassSemantics, a mapping from label to row, or an array [C, S] "
                    f"whose row c describes label c, got {type(described).__name__} of shape {values.shape}"
                    "; give one of these"
                )
            labels = np.arange(len(values))
        names = attributes if attributes is not None else [f"attribute {column}" for column in range(values.shape[1])]
        try:
            table = torch.from_numpy(np.array(values, dtype=np.float32))
        except (TypeError, ValueError) as error:
            raise DataError(f"class_semantics: expected numbers ({error}); leave out columns of text") from error
        return cls(labels, ClassSemantics(tuple(map(str, labels.tolist())), tuple(names), table))

    @classmethod
    def one_hot(cls, labels: Shaped[np.ndarray, "C"]) -> "DescribedClasses":
        """Return classes of which each has one attribute of its own, which makes an ordinary classifier."""
        names = tuple(map(str, labels.tolist()))
        return cls(labels, ClassSemantics(names, names, torch.eye(len(names))))

    def in_order(self) -> "DescribedClasses":
        """Return the same classes with labels ascending."""
        return self._rows(np.argsort(self.labels).tolist())

    def only(self, labels: Shaped[np.ndarray, "K"], argument: str) -> "DescribedClasses":
        """Return the classes of the given labels, in their order; a label without a row is an error."""
        return self._rows(self.rows(labels, argument))

    def rows(self, labels: Shaped[np.ndarray, "N"], argument: str) -> list[int]:
        """Return the row of each label; an error message calls the labels ``argument``."""
        row = {label: position for position, label in enumerate(map(_plain, self.labels.tolist()))}
        listed = [_plain(label) for label in labels.tolist()]
        unknown = [label for label in dict.fromkeys(listed) if label not in row]
        if unknown:
            texts = [[label for label in side if isinstance(label, str)] for side in (unknown, row)]
            hint = did_you_mean(texts[0], texts[1])
            raise DataError(
                f"{argument}: no semantics for {name_some(unknown)}; class_semantics needs a row for each{hint}"
            )
        return [row[label] for label in listed]

    def spelt_as(self, labels: Shaped[np.ndarray, "K"]) -> "DescribedClasses":
        """Return the same classes with the given labels as they are written there, so that predictions equal them."""
        own, written = self.labels.tolist(), {_plain(label): label for label in labels.tolist()}
        spelt = [written.get(_plain(label), label) for label in own]
        return self if spelt == own else DescribedClasses(np.array(spelt), self.semantics)

    def _rows(self, rows: list[int]) -> "DescribedClasses":
        return DescribedClasses(self.labels[rows], self.semantics.only(self.semantics.classes[row] for row in rows))


def _plain(label: Any) -> Any:
    """Return a label that is a name in the form in which names are joined, and any other label as it is."""
    return plain_name(label) if isinstance(label, str) else label
