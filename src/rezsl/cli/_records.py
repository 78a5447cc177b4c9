"""What the record of a run may name: classes of rezsl, loggers of Lightning, and what ``--import`` brought in.

A run may come from a stranger. Its ``config.yaml`` is read by ``evaluate``, ``report`` and ``fit --resume``, and no
module may run because that file names it. A file of options that ``--config`` names is different: its user chose it.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from rezsl.errors import DataError
from rezsl.sources import asks_network

IMPORTED: set[str] = set()
"""The modules that ``--import`` named in this command."""

TRUSTED = ("rezsl", "lightning_fabric")

NAMED = ("data", "model", "backbone", "logger", "loss", "classification")
"""The options whose values are classes, which may also be written without ``class_path``."""


def check_record(content: Mapping[str, Any], path: Path, pickles: bool = False) -> None:
    """Check every class that a run's own record names, at any depth, before anything of it is imported.

    ``pickles`` is whether the same command allows pickled weights.

    Raises:
        DataError: a class is of another module, or an entry leads to another file, to a network or to pickles.
    """
    if "config" in content:
        raise DataError(f"{path}: config: expected the options of a run, got another file of options; remove the entry")
    for place, name in _classes(content, ""):
        if not _is_known(name):
            module = str(name).rpartition(".")[0]
            module = "MODULE" if module.partition(".")[0] in ("", *_roots()) else module[:80]
            raise DataError(
                f"{path}: {place}: expected a class of rezsl or of a module that --import names, got "
                f"{str(name)[:120]!r}; a record does not choose which code runs: if you trust it, add --import {module}"
            )

    for place, value in _leaves(content.get("data"), "data"):
        # The root may be replaced by --data.root, so it is checked where it is used.
        if place != "data.init_args.root" and isinstance(value, str) and asks_network(value):
            raise DataError(
                f"{path}: {place}: expected a file of this machine, got the address {value[:120]!r}; a record does not "
                f"choose what is asked of a network: if you trust it, name the benchmark with --data"
            )
    for place, value in () if pickles else _leaves(content.get("backbone"), "backbone"):
        if place.endswith(".allow_pickle") and value not in (False, None):
            raise DataError(
                f"{path}: {place}: expected false, got {str(value)[:40]}; a record does not choose which pickles are "
                f"loaded: if you trust the weights, add --backbone.allow-pickle true"
            )


def _leaves(content: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Yield the place and the value of every entry that is no list or mapping."""
    if isinstance(content, Mapping):
        inside: list[tuple[Any, Any]] = [*content.items()]
    elif isinstance(content, list):
        inside = [*enumerate(content)]
    else:
        yield place, content
        return
    for name, value in inside:
        yield from _leaves(value, f"{place}.{name}")


def _classes(content: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Yield the place and the value of every entry that names a class."""
    if isinstance(content, Mapping):
        for name, value in content.items():
            inside = f"{place}.{name}".removeprefix(".")
            if name == "class_path" or (not place and name in NAMED and isinstance(value, str)):
                yield inside, value
            else:
                yield from _classes(value, inside)
    elif isinstance(content, list | tuple):
        for number, value in enumerate(content):
            yield from _classes(value, f"{place}.{number}")


def _is_known(name: Any) -> bool:
    if not isinstance(name, str):
        return False
    root, dot, _ = name.partition(".")
    if not dot:
        # A name alone is that of a class that is imported already; but the parser reads a file of that name first.
        return name.isidentifier() and not os.path.exists(name)
    roots = _roots()
    if root not in roots:
        return False
    try:
        found = resolve_name(name)
    except (ImportError, AttributeError, ValueError):
        return False
    # A trusted module has names of other modules too, such as rezsl.files.os.
    return callable(found) and str(getattr(found, "__module__", "")).partition(".")[0] in roots


def _roots() -> set[str]:
    return {*TRUSTED, *(module.partition(".")[0] for module in IMPORTED)}
