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

IMPORTED: set[str] = set()
"""The modules that ``--import`` named in this command."""

TRUSTED = ("rezsl", "lightning_fabric")

NAMED = ("data", "model", "backbone", "logger", "loss", "classification")
"""The options whose values are classes, which may also be written without ``class_path``."""


def check_record(content: Mapping[str, Any], path: Path) -> None:
    """Check every class that a run's own record names, at any depth, before anything of it is imported.

    Raises:
        DataError: a class is of another module, or an entry leads to another file.
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
