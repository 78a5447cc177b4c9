"""The files of weights of a pretrained network: where they are, and that they hold the network that is described."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from rezsl.errors import ModelFileError, RezslError, needs
from rezsl.files import read_json

SAFE_FILES = ("model.safetensors", "model.safetensors.index.json")
"""The file of all weights, and the list of several files of them."""

MOST_LAYERS = 2000
"""Layers of a network, far above those of every published one."""


def cached_file(source: str, name: str, revision: str | None = None) -> Path | None:
    """Return the path of a file of a directory or of the local cache of the hub; None where it is not there."""
    if Path(source).is_dir():
        path = Path(source) / name
        return path if path.is_file() else None
    with needs("images", "models of the hub"):
        from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 - it takes a second

    cached = try_to_load_from_cache(source, name, revision=revision)
    return Path(cached) if isinstance(cached, str) else None


def files_of_weights(path: Path, error: type[RezslError] = ModelFileError) -> list[str]:
    """Return the names of the files that hold the weights: that of ``path``, or those that it lists.

    Raises:
        RezslError: they lead to files of another folder or format, or an adapter asks for another model; of the type
            ``error``.
    """
    remedy = "get the weights as one file, or from their author"
    if (adapter := path.parent / "adapter_config.json").exists():
        raise error(f"{adapter}: expected the weights of one whole network, got an adapter; {remedy}")
    if path.suffix != ".json":
        return [path.name]
    parts = read_json(path, error, "the list of the files of weights", remedy).get("weight_map")
    names: list[Any] = [*dict.fromkeys(parts.values())] if isinstance(parts, dict) and parts else [None]
    for name in names:
        if not isinstance(name, str) or not re.fullmatch(r"\w[\w.-]*\.safetensors", name, re.ASCII):
            raise error(
                f"{path}: expected names of files in the same folder that end in .safetensors, got "
                f"{str(name)[:60]!r}; {remedy}"
            )
    return names


def bytes_of_weights(path: Path, find: Callable[[str], Path | None], error: type[RezslError] = ModelFileError) -> int:
    """Return the size of all files of weights: ``path`` itself, or those that it lists and ``find`` returns by name.

    Raises:
        RezslError: a listed file is not there; of the type ``error``.
    """
    names = files_of_weights(path, error)
    files = {name: path if name == path.name else find(name) for name in names}
    if absent := [name for name, file in files.items() if file is None]:
        raise error(
            f"{path}: expected {len(names)} files of weights beside it, got none with the name {absent[0]!r}; get all "
            f"files again"
        )
    return sum(file.stat().st_size for file in files.values() if file is not None)


class _WithoutNumbers(TorchFunctionMode):
    """Leaves out numbers that tensors without memory do not have, where PyTorch would import its compiler for them.

    The import takes most of a second, and is needed for draws from normal distributions and for ``torch.eye``.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        options = kwargs or {}
        if getattr(func, "__name__", "") == "normal_":  # of torch.nn.init or of a tensor
            return args[0] if args else options["tensor"]
        if func is torch.eye:
            return torch.empty(args[0], args[-1], device="meta")
        return func(*args, **options)


def check_network_size(
    parts: Callable[[], Iterable[nn.Module]], stored: int, path: Path, error: type[RezslError] = ModelFileError
) -> None:
    """Refuse a description of networks that are larger than the tensors beside it, before they take memory.

    Args:
        parts: makes the networks.
        stored: how many numbers the tensors have at most; no number takes less than a byte.
        path: their file, for the message.
        error: the type of the error.

    Raises:
        RezslError: the networks are larger.
    """
    try:
        with torch.device("meta"), _WithoutNumbers():
            made = parts()
    except Exception:  # noqa: BLE001 - a class of one's own may need numbers; other errors are raised by what follows
        return
    tensors = [part for network in made for part in network.state_dict(keep_vars=True).values()]
    # A tensor that several layers share is stored once.
    if (count := sum({id(part): part.numel() for part in tensors}.values())) > stored:
        raise error(
            f"{path}: expected networks of at most {stored:,} numbers, as the tensors have, got a description of "
            f"{count:,}; copy all files again"
        )


def check_layers(counts: Mapping[str, Any], error: type[RezslError], place: str) -> None:
    """Refuse a description of so many layers that their mere list would fill the memory.

    Args:
        counts: numbers of layers, or lists of them, by their names; values of other types are passed over.
        error: the type of the error.
        place: what the message begins with.

    Raises:
        RezslError: there are more than MOST_LAYERS of them.
    """
    for name, count in counts.items():
        entries = count if isinstance(count, list | tuple) else [count]
        total = sum(entry for entry in entries if isinstance(entry, int))
        if total > MOST_LAYERS:
            raise error(f"{place}: expected at most {MOST_LAYERS} layers in {name}, got {total}; correct it")
