"""Training states on disk without pickle: tensors as safetensors, and everything else as JSON in the same file."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from rezsl.errors import RunDirectoryError
from rezsl.files import reading, write_tensors


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write nested lists and dictionaries as JSON in which numbers stand for the tensors; the file is always whole."""
    tensors: dict[str, torch.Tensor] = {}
    structure = json.dumps(_encode(state, tensors))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tensors(path, tensors, metadata={"structure": structure})


def read_checkpoint(path: Path, parts: Sequence[str] = ()) -> dict[str, Any]:
    """Read a training state.

    Args:
        path: the file.
        parts: the names that the state must have.

    Raises:
        RunDirectoryError: the file is damaged, or lacks a part.
    """
    with reading(path, "a checkpoint", RunDirectoryError, "move it away to train this stage again"):
        with safe_open(path, framework="pt") as file:
            structure = json.loads(file.metadata()["structure"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        state: dict[str, Any] = _decode(structure, tensors)
        for part in parts:
            state[part]
    return state


def _encode(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        name = str(len(tensors))
        tensors[name] = value
        return {"tensor": name}
    if isinstance(value, dict):
        # Pairs and not an object, because an optimizer's state has whole numbers as keys.
        return {"pairs": [[_encode(key, tensors), _encode(item, tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return {type(value).__name__: [_encode(item, tensors) for item in value]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a checkpoint holds tensors, numbers, strings, lists and dictionaries, got {type(value).__name__}")


def _decode(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    match kind:
        case "tensor":
            return tensors[content]
        case "pairs":
            return {_decode(key, tensors): _decode(item, tensors) for key, item in content}
        case "list":
            return [_decode(item, tensors) for item in content]
        case "tuple":
            return tuple(_decode(item, tensors) for item in content)
        case _:
            raise ValueError(f"unknown kind {kind!r}")
