"""Turn docstrings into Markdown: roles become links, and sessions of the interpreter become code blocks."""

import importlib
import re
import sys
from functools import cache
from typing import Any

from griffe import Alias, Extension, Module, Object

import rezsl

ROLE = re.compile(r":(?:class|func|meth|attr|mod|data|exc):`~?([\w.]+)`")
LITERAL = re.compile(r"``(.+?)``")
SESSION = re.compile(r"(?m)^((?:>>> |\.\.\. ).*(?:\n(?!\s*$).*)*)")


@cache
def public_names() -> dict[str, str]:
    """Return the anchor of every public name by its last part; a package's own page precedes that of rezsl."""
    names: dict[str, str] = {}
    for package in ("", *rezsl._ROOMS, "report"):
        module = importlib.import_module(f"rezsl.{package}".rstrip("."))
        names |= {name: _place(f"{module.__name__}.{name}") for name in module.__all__}
    return names


def _place(name: str) -> str:
    """Return the path by which griffe finds a name: a function in a module of its own name is found by both."""
    return f"{name}.{name.rpartition('.')[2]}" if name in sys.modules else name


def as_markdown(text: str) -> str:
    """Return the docstring as Markdown."""
    text = ROLE.sub(_link, text)
    text = LITERAL.sub(r"`\1`", text)
    return SESSION.sub(r"```pycon\n\1\n```", text)


def _link(role: re.Match[str]) -> str:
    shown = role[1].removeprefix("rezsl.")
    owner, _, member = role[1].rpartition(".")
    known = public_names()
    if target := known.get(member):
        return f"[`{shown}`][{target}]"
    if target := known.get(owner.rpartition(".")[2]):
        room, _, name = target.rpartition(".")
        found = getattr(getattr(sys.modules[room], name), member, None)
        # Fields of a dataclass are described with their class, methods and properties by themselves.
        return f"[`{shown}`][{target}{'.' + member if callable(found) or isinstance(found, property) else ''}]"
    return f"`{shown}`"


class Docstrings(Extension):
    """An extension of griffe that completes the packages' names, and rewrites every docstring before it is parsed."""

    def on_module_members(self, *, mod: Module, **_: Any) -> None:
        """Add the names that a package exports without listing them, because their files register themselves."""
        if mod.path.removeprefix("rezsl.") not in rezsl._ROOMS:
            return
        package = importlib.import_module(mod.path)
        listed = [name for name in package.__all__ if name not in mod.members]
        for name in listed:
            value = getattr(package, name)
            mod.set_member(name, Alias(name, f"{value.__module__}.{value.__qualname__}", parent=mod))
        mod.exports = list(package.__all__)

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Rewrite the docstring of one module, class, function or attribute."""
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)
