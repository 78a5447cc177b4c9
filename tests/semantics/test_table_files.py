import json
from dataclasses import fields, replace

import pytest
import torch

from rezsl.errors import DataError
from rezsl.semantics import ClassSemantics, pack_semantics, unpack_semantics


@pytest.mark.parametrize("full", [False, True])
def test_a_table_survives_as_tensors_and_json(semantics: ClassSemantics, full: bool) -> None:
    if full:
        semantics = replace(
            semantics,
            word_vectors=torch.rand(3, 4).T,
            groups=("body", "body", "skin", "skin"),
            places=torch.tensor([[0.5, 0.5, torch.inf]]).repeat(4, 1),
        )
    tensors, names = pack_semantics(semantics)
    assert all(tensor.is_contiguous() for tensor in tensors.values())
    again = unpack_semantics({"weight": torch.ones(1), **tensors}, json.loads(json.dumps(names)))
    for field in fields(ClassSemantics):
        before, after = getattr(semantics, field.name), getattr(again, field.name)
        assert before.equal(after) if isinstance(before, torch.Tensor) else before == after, field.name


def test_missing_parts_are_named(semantics: ClassSemantics) -> None:
    tensors, names = pack_semantics(semantics)
    with pytest.raises(
        DataError, match=r"expected groups, semantics\.values, got a file without; write the file again"
    ):
        unpack_semantics({}, {key: names[key] for key in ("classes", "attributes")})
    with pytest.raises(DataError, match="expected one row per class"):
        unpack_semantics(tensors, {**names, "classes": names["classes"][1:]})
