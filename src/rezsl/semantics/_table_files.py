"""The forms in which files hold class semantics: named tensors with JSON, and a CSV file of places."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rezsl.errors import DataError
from rezsl.files import read_csv
from rezsl.semantics.table import ClassSemantics

_PREFIX = "semantics."
_TENSORS = ("values", "word_vectors", "places")
_NAMES = ("classes", "attributes", "groups")
_PLACE_COLUMNS = ["attribute", "y", "x", "spread"]


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
    header, rows = read_csv(path, DataError, _PLACE_COLUMNS)
    if header != _PLACE_COLUMNS:
        raise DataError(f"{path}: expected the columns {', '.join(_PLACE_COLUMNS)}, got {', '.join(header)}")
    places: dict[str, list[float]] = {}
    for line, (cell, *numbers) in rows:
        name = cell.strip()
        if name not in semantics.attributes:
            raise DataError(f"{path}, line {line}: expected an attribute of the table, got {name!r}; correct the name")
        if name in places:
            raise DataError(f"{path}, line {line}: expected each attribute once, got {name!r} again; remove one line")
        try:
            places[name] = [float(number) for number in numbers]
        except ValueError:
            raise DataError(f"{path}, line {line}: expected numbers for y, x and spread, got {numbers}") from None
    nowhere = [0.5, 0.5, float("inf")]
    try:
        return replace(semantics, places=torch.tensor([places.get(name, nowhere) for name in semantics.attributes]))
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
