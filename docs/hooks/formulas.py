"""Translate formulas in ``$…$`` and ``$$…$$`` to MathML, which browsers draw without a script."""

import html
import re
from typing import Any

from latex2mathml.converter import convert

FOUND = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)


def on_page_content(content: str, **_: Any) -> str:
    """Translate the formulas that the extension arithmatex found; one that cannot be read ends the build."""
    return FOUND.sub(_mathml, content)


def _mathml(found: re.Match[str]) -> str:
    display = "block" if found[1] == "div" else "inline"
    formula = convert(html.unescape(found[2]).strip(), display=display)
    formula = re.sub(r"<mover>(?=<mi>)", '<mover accent="true">', formula)  # hats and bars close to their letters
    return f'<div class="formula">{formula}</div>' if display == "block" else formula
