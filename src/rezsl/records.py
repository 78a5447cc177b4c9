"""Records of JSON: checksums and differences of them, and objects that are recorded by their arguments."""

import hashlib
import inspect
import json
import pkgutil
import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

SLICE_BYTES = 1 << 24
"""Checksums read tensors in slices of 16 MiB, because a tensor may lie in a file larger than the memory."""


def fingerprint(*parts: Any) -> str:
    """Return one sha256 of tensors (type, shape and numbers) and values of JSON, in their order."""
    checksum = hashlib.sha256()
    for part in parts:
        if not isinstance(part, Tensor):
            checksum.update(json.dumps(part, ensure_ascii=False).encode(errors="surrogatepass") + b"\0")
            continue
        checksum.update(f"{part.dtype} {tuple(part.shape)}\0".encode())
        for numbers in part.detach().flatten().split(SLICE_BYTES // part.element_size()):
            # The numbers are read as bytes, because NumPy has no bfloat16. An empty tensor may have any stride.
            if numbers.numel():
                checksum.update(numbers.cpu().contiguous().view(torch.uint8).numpy().data)
    return checksum.hexdigest()


def differences(before: Mapping[str, Any], after: Mapping[str, Any], ignored: Sequence[str] = ()) -> list[str]:
    """Return a line ``name: before → after`` for every entry that was added, removed or changed.

    Entries of nested mappings have dotted names; those of ``ignored`` names, at any depth, are not compared. Tuples
    equal lists, as in JSON. Checksums come last, by name alone.
    """
    old, new = (
        {name: json.dumps(value, ensure_ascii=False, default=str) for name, value in flat(record, ignored).items()}
        for record in (before, after)
    )
    lines, checksums = [], []
    for name in dict.fromkeys([*old, *new]):
        pair = [record.get(name, "(none)") for record in (old, new)]
        if pair[0] == pair[1]:
            continue
        if all(re.fullmatch('"[0-9a-f]{64}"', text) for text in pair):
            checksums.append(name)
        else:
            lines.append(f"{name}: {' → '.join(map(_shown, pair))}")
    return lines + checksums


def flat(content: Mapping[str, Any], ignored: Sequence[str] = (), prefix: str = "") -> dict[str, Any]:
    """Return the values of nested mappings by dotted name, without the entries of ignored names at any depth."""
    result: dict[str, Any] = {}
    for name, value in content.items():
        if name in ignored:
            continue
        if isinstance(value, Mapping) and value:
            result |= flat(value, ignored, f"{prefix}{name}.")
        else:
            result[f"{prefix}{name}"] = value
    return result


def _shown(text: str) -> str:
    plain = text.strip('"')
    return plain if len(plain) <= 40 else f"{plain[:37]}…"


class Recorded:
    """An object that keeps the arguments of its constructor, so that a record of them can make an equal object.

    The constructor is the only description of an object's options: saving writes the arguments, loading calls the
    constructor with them, and the command line reads its signature.

    Attributes:
        arguments: every parameter of the constructor by name, with its default where none was given.
    """

    arguments: dict[str, Any]

    def __new__(cls, *args: Any, **options: Any) -> "Recorded":
        """Record the arguments; ``copy.deepcopy`` makes its copy without any, and then copies those of the original."""
        made = super().__new__(cls)
        signature = inspect.signature(cls.__init__)
        bound = signature.bind_partial(made, *args, **options)
        bound.apply_defaults()
        arguments = dict(list(bound.arguments.items())[1:])
        for name, parameter in signature.parameters.items():
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                arguments |= arguments.pop(name)
        # torch.nn.Module refuses plain assignments before its own constructor has run.
        object.__setattr__(made, "arguments", arguments)
        return made


def import_modules(package: str) -> list[ModuleType]:
    """Import every public module of a package, so that each file of it registers its models, losses or readers.

    Modules whose names begin with an underscore are left out, because other modules import them where necessary.
    """
    places = import_module(package).__path__
    names = sorted(found.name for found in pkgutil.iter_modules(places) if not found.name.startswith("_"))
    return [import_module(f"{package}.{name}") for name in names]
