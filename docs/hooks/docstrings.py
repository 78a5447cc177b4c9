"""Docstrings as Python shows them, to Markdown: roles become links, and sessions of the interpreter code blocks."""

import importlib
import re
from functools import cache
from typing import Any

from griffe import Extension, Object

ROOMS = (
    "", "analysis", "backbones", "data", "estimators", "functional", "losses", "metrics", "models", "report",
    "report.page", "training", "words",
)  # fmt: skip
ROLE = re.compile(r":(?:class|func|meth|attr|mod|data|exc):`~?([\w.]+)`")
LITERAL = re.compile(r"``(.+?)``")
SESSION = re.compile(r"(?m)^((?:>>> |\.\.\. ).*(?:\n(?!\s*$).*)*)")
FORMULA = re.compile(r"(?m)(?<=\n\n)((?: {4}\S.*(?:\n|$))+)")


@cache
def public_names() -> dict[str, str]:
    """From the last part of every public name to the name in full; that of its own room wins over the package's."""
    names: dict[str, str] = {}
    for room in ROOMS:
        module = importlib.import_module(f"rezsl.{room}".rstrip("."))
        names |= {name: f"{module.__name__}.{name}" for name in module.__all__}
    return names


def as_markdown(text: str) -> str:
    """The docstring as Markdown."""
    text = ROLE.sub(_link, text)
    text = LITERAL.sub(r"`\1`", text)
    return SESSION.sub(r"```pycon\n\1\n```", text)


def _link(role: re.Match[str]) -> str:
    shown = role[1].removeprefix("rezsl.")
    owner, _, member = role[1].rpartition(".")
    known = public_names()
    if target := known.get(role[1].split(".")[-1]):
        return f"[`{shown}`][{target}]"
    if target := known.get(owner.rpartition(".")[2]):
        return f"[`{shown}`][{target}.{member}]"
    return f"`{shown}`"


class Docstrings(Extension):
    """Rewrites every docstring before it is parsed."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Called by griffe for each module, class, function and attribute."""
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)
