"""The places of attributes in the image, from a CSV file."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.errors import DataError
from rezsl.files import read_csv
from rezsl.semantics.table import ClassSemantics

COLUMNS = ["attribute", "y", "x", "spread"]


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
    places = _read(path, semantics.attributes)
    try:
        return replace(semantics, places=places)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _read(path: Path, attributes: Sequence[str]) -> Float[Tensor, "S 3"]:
    header, rows = read_csv(path, DataError, COLUMNS)
    if header != COLUMNS:
        raise DataError(f"{path}: expected the columns {', '.join(COLUMNS)}, got {', '.join(header)}")
    number = {name: position for position, name in enumerate(attributes)}
    places = torch.tensor([[0.5, 0.5, torch.inf]]).repeat(len(attributes), 1)
    listed: set[str] = set()
    for line, cells in rows:
        name = cells[0].strip()
        if name not in number:
            raise DataError(f"{path}, line {line}: expected an attribute of the table, got {name!r}; correct the name")
        if name in listed:
            raise DataError(f"{path}, line {line}: expected each attribute once, got {name!r} again; remove one line")
        listed.add(name)
        try:
            places[number[name]] = torch.tensor([float(cell) for cell in cells[1:]])
        except ValueError:
            raise DataError(f"{path}, line {line}: expected numbers for y, x and spread, got {cells[1:]}") from None
    return places
