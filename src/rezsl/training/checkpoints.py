"""Training states on disk without pickle: tensors as safetensors, everything else as JSON in the same file."""

import json
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import CheckpointIO
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from rezsl.errors import RunDirectoryError
from rezsl.files import write_atomically

PARTS = ("state_dict", "optimizer_states", "lr_schedulers", "callbacks", "loops")
"""Of a checkpoint, without which training could not go on."""


class SafeCheckpointIO(CheckpointIO):
    """Writes a checkpoint's nested lists and dictionaries as JSON, with numbers that stand for its tensors."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint, whole or not at all."""
        tensors: dict[str, torch.Tensor] = {}
        structure = json.dumps(_encode(checkpoint, tensors))
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(Path(path), save(tensors, metadata={"structure": structure}))

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Read a checkpoint.

        Raises:
            RunDirectoryError: the file is damaged.
        """
        try:
            with safe_open(path, framework="pt") as file:
                structure = json.loads(file.metadata()["structure"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
            checkpoint: dict[str, Any] = _decode(structure, tensors)
            for part in PARTS:
                checkpoint[part]
        except (SafetensorError, OSError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise RunDirectoryError(
                f"{path}: not a readable checkpoint ({error}); move it away to train this stage again"
            ) from error
        return checkpoint

    def remove_checkpoint(self, path: Any) -> None:
        """Delete a checkpoint."""
        Path(path).unlink(missing_ok=True)


def _encode(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach().cpu().contiguous().clone()
        return {"tensor": name}
    if isinstance(value, dict):
        # Pairs, not an object: an optimizer's state has whole numbers as keys.
        return {"pairs": [[_encode(key, tensors), _encode(item, tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return {type(value).__name__: [_encode(item, tensors) for item in value]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a checkpoint holds tensors, numbers, strings, lists and dictionaries, not {type(value).__name__}")


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
