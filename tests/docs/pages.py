"""Code blocks of a Markdown page, in order, with what the page says about running them."""

import re
from pathlib import Path
from typing import NamedTuple

BLOCK = re.compile(
    r"^(?:<!-- (?P<note>[^>]*?) -->\n+)?```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)
NOT_RUN = "not run: "


class CodeBlock(NamedTuple):
    """One fenced block.

    Attributes:
        language: what stands behind the fence.
        code: its lines.
        line: of the page, where the code begins.
        reason: why it cannot run in a test (a comment above it, ``<!-- not run: reason -->``); empty where it can.
    """

    language: str
    code: str
    line: int
    reason: str


def code_blocks(page: Path) -> list[CodeBlock]:
    """Every fenced block of a page."""
    text = page.read_text(encoding="utf-8")
    blocks = []
    for found in BLOCK.finditer(text):
        note = found["note"] or ""
        reason = note.removeprefix(NOT_RUN) if note.startswith(NOT_RUN) else ""
        blocks.append(CodeBlock(found["language"], found["code"], text.count("\n", 0, found.start("code")) + 1, reason))
    return blocks


def command_lines(code: str) -> list[str]:
    """The command lines of a shell block: continued lines joined, comments left out."""
    joined = re.sub(r"\\\n\s*", "", code)
    return [line for line in (re.sub(r"(^|\s)# .*$|^#.*$", "", raw).strip() for raw in joined.splitlines()) if line]
