"""The table of class semantics, which describes every class by its attributes, and its forms in files."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from rezsl.errors import DataError, name_some
from rezsl.files import csv_text, delimiter_of, local_path, naming, read_csv
from rezsl.functional import l2_normalize
from rezsl.semantics._near_names import did_you_mean, plain_name
from rezsl.semantics._table_file import draft_mark, read_table
from rezsl.writing import write_atomically

AXES = 8
"""Directions along which rows are compared before their cosine."""

_PREFIX = "semantics."
_TENSORS = ("values", "word_vectors", "places")
_NAMES = ("classes", "attributes", "groups")
_PLACE_COLUMNS = ["attribute", "y", "x", "spread"]


@dataclass(frozen=True, eq=False)
class ClassSemantics:
    """Attributes of every class; tables and data are joined by class *name*, never by position.

    Names are kept in one form, and compared in it: in composed letters (Unicode NFC) and without blanks around them.

    Attributes:
        classes: C unique class names.
        attributes: S unique attribute names.
        values: attributes of each class, ``[C, S]``, float32, finite; no row is all zero, because the cosine to it is
            undefined.
        word_vectors: a vector for each attribute's name, ``[S, L]``, or None.
        groups: the attribute group of each attribute (such as "bill shape"), S names, or None.
        places: the place of each attribute in the image, ``[S, 3]``: y, x and spread σ as shares of the image's side,
            with an infinite spread for an attribute without a place; or None. Places are of use where all images show
            their object in the same position, such as signs, characters, faces or parts on a belt.
        notes: what the reader of a file decided, such as how unknown values were filled, one sentence each.
        drafted: what drafted the values, such as a text encoder; empty where people gave or reviewed them.

    Raises:
        DataError: a name occurs twice, a shape does not match, a value is not finite, or a row is all zero.
    """

    classes: tuple[str, ...]
    attributes: tuple[str, ...]
    values: Float[Tensor, "C S"]
    word_vectors: Float[Tensor, "S L"] | None = None
    groups: tuple[str, ...] | None = None
    places: Float[Tensor, "S 3"] | None = None
    notes: tuple[str, ...] = ()
    drafted: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", self.values.to(torch.float32))
        for part in _NAMES:
            if (given := getattr(self, part)) is not None:
                object.__setattr__(self, part, tuple(map(plain_name, given)))
        if self.values.shape != (len(self.classes), len(self.attributes)):
            raise DataError(
                f"values: expected one row per class and one column per attribute, "
                f"{len(self.classes)} × {len(self.attributes)}, got {' × '.join(map(str, self.values.shape))}"
                "; give as many"
            )
        if not self.classes or not self.attributes:
            raise DataError(
                "values: expected at least one class and one attribute, got an empty table; add rows and columns"
            )
        for argument, names in (("classes", self.classes), ("attributes", self.attributes)):
            repeated = [name for name, count in Counter(names).items() if count > 1]
            if repeated:
                raise DataError(
                    f"{argument}: expected unique names, got {name_some(repeated)} more than once"
                    "; rename or remove the others"
                )
            if "" in names:
                raise DataError(f"{argument}: expected names, got an empty one; name it")
        self._check_values()
        vectors, groups, count = self.word_vectors, self.groups, len(self.attributes)
        if vectors is not None and (vectors.ndim != 2 or len(vectors) != count or not bool(vectors.isfinite().all())):
            got = tuple(vectors.shape)
            raise DataError(
                f"word_vectors: expected {count} finite rows, one per attribute, got shape {got}; give one for each"
            )
        if groups is not None and len(groups) != count:
            raise DataError(f"groups: expected {count} names, one per attribute, got {len(groups)}; give one for each")
        if self.places is not None:
            _check_places(self.places, self.attributes)

    def _check_values(self) -> None:
        bad = (~self.values.isfinite()).nonzero().tolist()
        if bad:
            row, column = bad[0]
            raise DataError(
                f"values: expected finite numbers, got {self.values[row, column]} for class "
                f"{self.classes[row]!r}, attribute {self.attributes[column]!r}; correct the value"
            )
        empty = (self.values == 0).all(dim=1).nonzero().squeeze(1).tolist()
        if empty:
            raise DataError(
                f"values: expected an attribute other than 0 in every row, got only 0 for "
                f"{name_some([self.classes[row] for row in empty])}; the cosine to it is undefined, add an attribute"
            )

    def __repr__(self) -> str:
        return f"ClassSemantics({len(self.classes)} classes × {len(self.attributes)} attributes)"

    @property
    def query_vectors(self) -> Float[Tensor, "S L"]:
        """The word vectors, or one-hot vectors ``[S, S]`` where there are none."""
        return torch.eye(len(self.attributes)) if self.word_vectors is None else self.word_vectors

    def index(self, names: Iterable[str]) -> list[int]:
        """Return the row of each class name.

        Raises:
            DataError: some names are not in the table; the message lists them.
        """
        row = {name: position for position, name in enumerate(self.classes)}
        names = list(map(plain_name, names))
        unknown = [name for name in dict.fromkeys(names) if name not in row]
        if unknown:
            raise DataError(
                f"classes: expected rows for {name_some(unknown)}, got none; add a row for each to the table"
                f"{did_you_mean(unknown, [name for name in row if name not in names])}"
            )
        return [row[name] for name in names]

    def only(self, names: Iterable[str]) -> "ClassSemantics":
        """Return the table of the named classes alone, in this order; the errors are those of :meth:`index`."""
        names = tuple(names)
        return replace(self, classes=names, values=self.values[self.index(names)])

    def classes_of(self, labels: Int[Tensor, "K"]) -> tuple[str, ...]:
        """Return the names of the classes that occur among labels, in the table's order."""
        return tuple(self.classes[row] for row in labels.unique().tolist())

    def indistinguishable(self, tolerance: float = 1e-6) -> list[tuple[str, ...]]:
        """Group the classes whose rows have a cosine of at least ``1 - tolerance``, so that no score separates them."""
        return [tuple(self.classes[row] for row in rows) for rows in equal_rows(self.values, tolerance)]

    def with_classes_of(self, other: "ClassSemantics") -> "ClassSemantics":
        """Return a table of the classes of ``other``, with its columns in this table's order by attribute name.

        Raises:
            DataError: the attributes of the two tables differ.
        """
        column, own = {name: place for place, name in enumerate(other.attributes)}, set(self.attributes)
        missing = [name for name in self.attributes if name not in column]
        extra = [name for name in other.attributes if name not in own]
        if missing or extra:
            raise DataError(
                "attributes: expected the attributes of the model's own table"
                + (f"; missing: {name_some(missing)}" if missing else "")
                + (f"; unknown: {name_some(extra)}" if extra else "")
                + did_you_mean(extra, missing)
            )
        same = other.attributes == self.attributes
        values = other.values if same else other.values[:, [column[name] for name in self.attributes]]
        return replace(self, classes=other.classes, values=values, notes=other.notes, drafted=other.drafted)

    def with_word_vectors(self, vectors: Float[Tensor, "S L"]) -> "ClassSemantics":
        """Return the same table with a vector for each attribute, in the order of ``attributes``, as float32.

        Raises:
            DataError: the number of rows is not the number of attributes, or a number is not finite.
        """
        return replace(self, word_vectors=vectors.to(torch.float32))

    @classmethod
    def from_csv(cls, path: str | Path, known_classes: Iterable[str] = ()) -> "ClassSemantics":
        """Read a table whose first column is ``class`` and whose other columns are attributes, one row per class.

        Commas, semicolons or tabs separate the cells; without commas between the cells, numbers may have decimal
        commas. A cell is a number, a percentage (``40 %`` is 0.4), ``yes``, ``true`` or ``x`` (1), ``no`` or ``false``
        (0), or empty, ``?`` or ``n/a``, which are unknown. An unknown value takes the mean of its attribute over the
        classes where it is known, except that a blank means no in an attribute whose other cells are all ``x``. A table
        with a row per attribute and a column per class is read so where its header has names of known classes, or
        begins with ``attribute``. The table's ``notes`` say each of these decisions. Lines above the header that begin
        with # and a blank are comments; one that begins with ``# drafted`` marks the table as drafted.

        Args:
            path: the file, in any common encoding; where that is a guess, a note says so.
            known_classes: names of classes, such as those of the image folders, by which such a table is recognised.

        Raises:
            DataError: the file is missing or no text, has no ``class`` column, a row of another length, a name
                twice, a class or an attribute of which nothing is known, or a cell that cannot be read; the message
                names file, line and column.
        """
        path = local_path(path)
        file = read_table(path, known_classes)
        with naming(path):
            return cls(file.classes, file.attributes, file.values, notes=file.notes, drafted=file.drafted)

    def to_csv(self, path: str | Path) -> None:
        """Write the table as :meth:`from_csv` reads it, with the fewest digits that are the same float32.

        A drafted table begins with a line ``# drafted by …``. As long as that line is there, ``from_csv``, and so
        ``rezsl data check``, ``rezsl fit`` and the record of every run, have a note on it.
        """
        numbers = [[np.format_float_positional(value, trim="-") for value in row] for row in self.values.cpu().numpy()]
        rows = ([name, *row] for name, row in zip(self.classes, numbers, strict=True))
        mark = draft_mark(self.drafted) + "\n" if self.drafted else ""
        write_atomically(local_path(path), mark + csv_text(("class", *self.attributes), rows))


def equal_rows(values: Float[Tensor, "C S"], tolerance: float = 1e-6) -> list[list[int]]:
    """Group the rows that have a cosine of at least ``1 - tolerance``; a row alone is left out.

    Rows u and v of length 1 have ‖u − v‖² = 2 − 2·cos(u, v), and so differ by at most √(2·tolerance) along every
    direction. After sorting along one direction only neighbours can be equal, and few of them are near along others
    too; only for these the cosine is computed.
    """
    if not len(values):
        return []
    directions = l2_normalize(values.double())
    generator = torch.Generator().manual_seed(0)
    axes = torch.randn(directions.shape[1], AXES, generator=generator, dtype=torch.float64)
    places = directions @ (axes / torch.linalg.vector_norm(axes, dim=0))
    places = places[:, (places.amax(dim=0) - places.amin(dim=0)).argsort(descending=True)]
    order = places[:, 0].argsort()
    places, reach = places[order], math.sqrt(2 * tolerance) + 1e-12
    first = places[:, 0].contiguous()
    last = torch.searchsorted(first, first + reach, right=True) - torch.arange(len(first)) - 1
    earliest = torch.arange(len(values))
    many = int(last.sum()) > len(values) ** 2 // 16
    rows, offset = (last > 0).nonzero().squeeze(1), 1
    if many:  # as in a table whose rows are nearly all alike
        rows, earliest = rows[:0], _earliest_equal(directions, tolerance)
    while len(rows):
        near = rows[((places[rows + offset] - places[rows]).abs() <= reach).all(dim=1)]
        one, other = order[near], order[near + offset]
        equal = (directions[one] * directions[other]).sum(dim=1) >= 1 - tolerance
        low, high = torch.minimum(one, other)[equal], torch.maximum(one, other)[equal]
        earliest.scatter_reduce_(0, high, low, "amin")
        offset += 1
        rows = rows[last[rows] >= offset]
    return _groups(earliest)


def _earliest_equal(directions: Float[Tensor, "C S"], tolerance: float) -> Int[Tensor, "C"]:
    """Return the first row that each row equals, by all pairs in slices: all cosines of 20,000 rows would take 3 GB."""
    same = (part @ directions.T >= 1 - tolerance for part in directions.split(1024))
    return torch.cat([part.to(torch.uint8).argmax(dim=1) for part in same])


def _groups(earliest: Int[Tensor, "C"]) -> list[list[int]]:
    groups: dict[int, list[int]] = {}
    for row, begin in enumerate(earliest.tolist()):
        groups.setdefault(begin, []).append(row)
    return [group for group in groups.values() if len(group) > 1]


def _check_places(places: Tensor, attributes: Sequence[str]) -> None:
    if places.shape != (len(attributes), 3):
        raise DataError(
            f"places: expected a row of y, x and spread per attribute, {len(attributes)} × 3, "
            f"got {' × '.join(map(str, places.shape))}; give one for each"
        )
    middle, spread = places[:, :2], places[:, 2:]
    valid = ((middle >= 0) & (middle <= 1)).all(dim=1) & (spread > 0).all(dim=1)
    wrong = (~valid).nonzero().squeeze(1).tolist()
    if wrong:
        raise DataError(
            f"places: expected y and x from 0 to 1 and a spread above 0, got "
            f"{', '.join(f'{number:g}' for number in places[wrong[0]].tolist())} for {attributes[wrong[0]]!r}"
            "; correct the numbers"
        )


def pack_semantics(semantics: ClassSemantics) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Turn class semantics into tensors and a JSON object; :func:`unpack_semantics` is the inverse.

    Returns:
        The tensors ``semantics.values`` ``[C, S]`` and, where the table has them, ``semantics.word_vectors`` ``[S, L]``
        and ``semantics.places`` ``[S, 3]``, on the CPU and contiguous; and the names ``classes``, ``attributes`` and
        ``groups`` (None where there are none).
    """
    tensors = {_PREFIX + name: getattr(semantics, name) for name in _TENSORS}
    names = {name: getattr(semantics, name) for name in _NAMES}
    return (
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items() if tensor is not None},
        {name: None if value is None else list(value) for name, value in names.items()},
    )


def unpack_semantics(tensors: Mapping[str, Tensor], names: Mapping[str, Any]) -> ClassSemantics:
    """Rebuild class semantics from the results of :func:`pack_semantics`; other tensors are not read.

    Raises:
        DataError: a name or the values are missing, or the parts do not form a valid table.
    """
    missing = [name for name in _NAMES if name not in names]
    if _PREFIX + "values" not in tensors:
        missing.append(_PREFIX + "values")
    if missing:
        raise DataError(f"semantics: expected {', '.join(missing)}, got a file without; write the file again")
    parts: dict[str, Any] = {name: None if names[name] is None else tuple(names[name]) for name in _NAMES}
    return ClassSemantics(**parts | {name: tensors.get(_PREFIX + name) for name in _TENSORS})


def with_places(semantics: ClassSemantics, path: Path) -> ClassSemantics:
    """Return the table with the places from a file; an attribute that is not listed has no place (infinite spread).

    Args:
        semantics: the table.
        path: a file with the columns ``attribute,y,x,spread``: shares of the image's side, y from the top and x from
            the left; the spread σ is about half the extent of the attribute.

    Raises:
        DataError: the file cannot be read, has other columns, an unknown or repeated attribute, or a cell that is not a
            number in its range; the message names the line or the attribute.
    """
    header, rows = read_csv(path, DataError, _PLACE_COLUMNS, delimiter=delimiter_of(path, DataError))
    if header != _PLACE_COLUMNS:
        raise DataError(
            f"{path}: expected the columns {', '.join(_PLACE_COLUMNS)}, got {', '.join(header)}; correct the header"
        )
    places: dict[str, list[float]] = {}
    for line, (cell, *numbers) in rows:
        name = plain_name(cell)
        if name not in semantics.attributes:
            left = [other for other in semantics.attributes if other not in places]
            raise DataError(
                f"{path}, line {line}: expected an attribute of the table, got {name!r}; correct the name"
                f"{did_you_mean([name], left)}"
            )
        if name in places:
            raise DataError(f"{path}, line {line}: expected each attribute once, got {name!r} again; remove one line")
        try:
            places[name] = [float(number) for number in numbers]
        except ValueError:
            raise DataError(
                f"{path}, line {line}: expected numbers for y, x and spread, got {numbers}; correct the line"
            ) from None
    nowhere = [0.5, 0.5, float("inf")]
    with naming(path):
        return replace(semantics, places=torch.tensor([places.get(name, nowhere) for name in semantics.attributes]))
