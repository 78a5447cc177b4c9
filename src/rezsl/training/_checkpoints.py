"""Training states on disk without pickle: tensors as safetensors, and everything else as JSON in the same file."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import Tensor

from rezsl.errors import RunDirectoryError
from rezsl.files import reading, write_tensors
from rezsl.training.callbacks import Callback, Stage

TENSOR = "__tensor__"


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write nested lists and dictionaries of tensors, numbers and strings; the file is always complete."""
    tensors: dict[str, Tensor] = {}

    def reference(value: Any) -> dict[str, str]:
        if not isinstance(value, Tensor):
            raise TypeError(f"a checkpoint holds tensors, numbers, strings, lists and dictionaries, got {type(value)}")
        tensors[str(len(tensors))] = value
        return {TENSOR: str(len(tensors) - 1)}

    structure = json.dumps(state, default=reference)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tensors(path, tensors, metadata={"structure": structure})


def read_checkpoint(path: Path, parts: Sequence[str] = ()) -> dict[str, Any]:
    """Read a training state that has the named parts; tuples come back as lists."""
    with (
        reading(path, "a checkpoint", RunDirectoryError, "move it away to train this stage again"),
        safe_open(path, framework="pt") as file,
    ):

        def restore(item: dict[str, Any]) -> Any:
            if item.keys() == {TENSOR}:
                return file.get_tensor(item[TENSOR])
            # JSON has no whole numbers as keys, but the state of an optimizer has.
            return {int(key) if key.isdigit() else key: value for key, value in item.items()}

        state: dict[str, Any] = json.loads(file.metadata()["structure"], object_hook=restore)
        for part in parts:
            state[part]
    return state


def save_training(path: Path, stage: Stage, parts: dict[str, Any], callbacks: Sequence[Callback]) -> None:
    """Write the training state after an epoch; ``parts`` are objects with a ``state_dict``."""
    state = {
        "stage": {"epoch": stage.epoch, "step": stage.step, "stopped": stage.stopped},
        "callbacks": [(type(callback).__name__, callback.state_dict()) for callback in callbacks],
    }
    write_checkpoint(path, state | {name: part.state_dict() for name, part in parts.items()})


def restore_training(path: Path, stage: Stage, parts: dict[str, Any], callbacks: Sequence[Callback]) -> None:
    """Continue from a training state; a callback that it does not contain begins without one."""
    state = read_checkpoint(path, ("stage", "callbacks", *parts))
    for name, value in state["stage"].items():
        setattr(stage, name, value)
    for name, part in parts.items():
        part.load_state_dict(state[name])
    for callback in callbacks:
        kept = next((pair for pair in state["callbacks"] if pair[0] == type(callback).__name__), None)
        if kept is not None:
            state["callbacks"].remove(kept)
            callback.load_state_dict(kept[1])
