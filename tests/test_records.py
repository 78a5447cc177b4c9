"""Checksums of values, and the differences of two records."""

import json

import pytest
import torch

from rezsl import records
from rezsl.records import differences, fingerprint


def test_fingerprints_follow_types_shapes_numbers_and_order(monkeypatch: pytest.MonkeyPatch) -> None:
    tensor = torch.arange(24.0).view(6, 4)
    prints = [
        fingerprint(tensor),
        fingerprint(tensor.view(4, 6)),
        fingerprint(tensor.double()),
        fingerprint(tensor, None),
        fingerprint(None, tensor),
        fingerprint(["a"], ["b"]),
        fingerprint(["a", "b"]),
        fingerprint(torch.tensor(1.0)),
        fingerprint(tensor[:0]),
    ]
    assert len(set(prints)) == len(prints)
    monkeypatch.setattr(records, "SLICE_BYTES", 20)
    assert fingerprint(tensor.T.contiguous().T) == prints[0]
    assert fingerprint(tensor.flatten()[::2]) == fingerprint(tensor.flatten()[::2].clone())


def test_differences_are_named() -> None:
    assert differences({"a": {"b": 1, "c": [1]}, "d": None}, {"a": {"b": 2, "c": (1,)}, "e": {}}) == [
        "a.b: 1 → 2", "d: null → (none)", "e: (none) → {}",
    ]  # fmt: skip
    before, after = {"s": "0" * 64, "v": {"x": "old", "n": 1}}, {"s": "1" * 64, "v": {"x": "new", "n": 2}}
    assert differences(before, after, ignored=["n"]) == ["v.x: old → new", "s"]
    assert differences(before, json.loads(json.dumps(before))) == []
