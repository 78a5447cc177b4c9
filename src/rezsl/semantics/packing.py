"""Class semantics as named tensors and JSON: the form in which models, region stores and fingerprints hold them."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from rezsl.errors import DataError
from rezsl.semantics.table import ClassSemantics

_PREFIX = "semantics."
_TENSORS = ("values", "word_vectors", "places")


def pack_semantics(semantics: ClassSemantics) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Turn class semantics into tensors and a JSON object; :func:`unpack_semantics` is the inverse.

    Returns:
        The tensors ``semantics.values`` ``[C, S]`` and, where the table has them, ``semantics.word_vectors`` ``[S, L]``
        and ``semantics.places`` ``[S, 3]``, on the CPU and contiguous; and the names ``classes``, ``attributes`` and
        ``groups`` (None where there are none).
    """
    tensors = {_PREFIX + name: getattr(semantics, name) for name in _TENSORS}
    names = {"classes": semantics.classes, "attributes": semantics.attributes, "groups": semantics.groups}
    return (
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items() if tensor is not None},
        {key: None if value is None else list(value) for key, value in names.items()},
    )


def unpack_semantics(tensors: Mapping[str, Tensor], names: Mapping[str, Any]) -> ClassSemantics:
    """Rebuild class semantics from what :func:`pack_semantics` returned.

    Args:
        tensors: any tensors by name; only those whose names begin with ``semantics.`` are read.
        names: the JSON object with ``classes``, ``attributes`` and ``groups``.

    Raises:
        DataError: a name or the values are missing, or the parts do not form a valid table.
    """
    missing = [key for key in ("classes", "attributes", "groups") if key not in names]
    if _PREFIX + "values" not in tensors:
        missing.append(_PREFIX + "values")
    if missing:
        raise DataError(f"semantics: expected {', '.join(missing)}, got a file without; write the file again")
    groups = names["groups"]
    return ClassSemantics(
        classes=tuple(names["classes"]),
        attributes=tuple(names["attributes"]),
        values=tensors[_PREFIX + "values"],
        word_vectors=tensors.get(_PREFIX + "word_vectors"),
        groups=None if groups is None else tuple(groups),
        places=tensors.get(_PREFIX + "places"),
    )
