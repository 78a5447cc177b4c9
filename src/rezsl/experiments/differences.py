"""What differs between two records, by dotted name."""

from collections.abc import Mapping
from typing import Any


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """A line per entry that was added, removed or changed: ``name: before → after``."""
    old, new = flat(before), flat(after)
    names = [*old, *(name for name in new if name not in old)]
    return [
        f"{name}: {_shown(old, name)} → {_shown(new, name)}"
        for name in names
        if old.get(name, ...) != new.get(name, ...)
    ]


def flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted names; lists and empty mappings are values."""
    result: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, Mapping) and value:
            result |= flat(value, f"{prefix}{name}.")
        else:
            result[f"{prefix}{name}"] = value
    return result


def _shown(content: Mapping[str, Any], name: str) -> str:
    return str(content[name]) if name in content else "(none)"
